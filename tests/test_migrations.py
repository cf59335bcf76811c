"""Migrations: complete, reversible, and without a foreign key to the shop."""

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def test_the_models_need_no_further_migration(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_migrations_reverse_to_an_empty_database_and_apply_again(transactional_db):
    tables = our_tables()
    MigrationExecutor(connection).migrate([("ecomrec", None)])
    assert our_tables() == set()
    newest = [node for node in MigrationExecutor(connection).loader.graph.leaf_nodes() if node[0] == "ecomrec"]
    MigrationExecutor(connection).migrate(newest)
    assert our_tables() == tables != set()


def test_no_table_refers_to_one_of_the_shop(db):
    with connection.cursor() as cursor:
        targets = {
            # Of each column: the column and the table that it refers to and, since Django 6.1, what a deletion does.
            relation[1]
            for table in our_tables()
            for relation in connection.introspection.get_relations(cursor, table).values()
        }
    assert not [target for target in targets if target.startswith("shop_")]


def our_tables() -> set[str]:
    return {table for table in connection.introspection.table_names() if table.startswith("ecomrec_")}

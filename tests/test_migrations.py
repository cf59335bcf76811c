from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def test_the_models_need_no_further_migration(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_the_migrations_go_back_and_forth(transactional_db):
    MigrationExecutor(connection).migrate([("ecomrec", None)])
    assert not [table for table in connection.introspection.table_names() if table.startswith("ecomrec_")]
    newest = [node for node in MigrationExecutor(connection).loader.graph.leaf_nodes() if node[0] == "ecomrec"]
    MigrationExecutor(connection).migrate(newest)
    assert "ecomrec_offerlist" in connection.introspection.table_names()


def test_no_table_refers_to_one_of_the_shop(db):
    ours = [table for table in connection.introspection.table_names() if table.startswith("ecomrec_")]
    with connection.cursor() as cursor:
        targets = {
            target for table in ours for _, target in connection.introspection.get_relations(cursor, table).values()
        }
    assert not [target for target in targets if target.startswith("shop_")]

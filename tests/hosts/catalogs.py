from ecomrec_django.catalog.adapter import Catalog


class IntegerCatalog(Catalog):
    model = "hosts.IntegerProduct"
    stock = "stock"


class UUIDCatalog(Catalog):
    model = "hosts.UUIDProduct"
    stock = "stock"


class SlugCatalog(Catalog):
    model = "hosts.SlugProduct"
    stock = "stock"

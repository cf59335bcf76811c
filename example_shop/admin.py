from django.contrib import admin

from ecomrec_django.admin import EcomrecProductAdminMixin

from .models import Category, Order, OrderLine, Product, Review


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ["name", "parent"]
    list_select_related = ["parent"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}
    autocomplete_fields = ["parent"]


@admin.register(Product)
class ProductAdmin(EcomrecProductAdminMixin, admin.ModelAdmin):
    list_display = ["title", "sku", "category", "brand", "price", "stock", "rating"]
    list_select_related = ["category"]
    search_fields = ["=sku", "title"]
    autocomplete_fields = ["category"]
    readonly_fields = ["sold", "rating", "updated"]
    show_full_result_count = False


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    list_display = ["product", "user", "rating", "created"]
    list_select_related = ["product", "user"]
    raw_id_fields = ["product", "user"]
    show_full_result_count = False


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    fields = ["sku", "title", "quantity", "unit_price", "refunded"]
    readonly_fields = ["sku", "title", "quantity", "unit_price"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj):
        return False


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["number", "user", "status", "placed"]
    list_select_related = ["user"]
    search_fields = ["=number", "=user__username"]
    raw_id_fields = ["user"]
    inlines = [OrderLineInline]
    show_full_result_count = False

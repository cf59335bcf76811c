from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from .forms import LoginForm
from .views import account, catalog, checkout, privacy

urlpatterns = [
    path("", catalog.home, name="home"),
    path("search/", catalog.search, name="search"),
    path("category/<slug:slug>/", catalog.category, name="category"),
    path("product/<path:sku>/", catalog.product, name="product"),
    path("review/<path:sku>/", catalog.review, name="review"),
    path("cart/", checkout.cart, name="cart"),
    path("cart/shared/", checkout.shared, name="cart-shared"),
    path("cart/take/", checkout.take, name="cart-take"),
    path("cart/add/", checkout.add, name="cart-add"),
    path("cart/add-all/", checkout.add_all, name="cart-add-all"),
    path("cart/swap/", checkout.swap, name="cart-swap"),
    path("cart/update/", checkout.update, name="cart-update"),
    path("checkout/", checkout.checkout, name="checkout"),
    path("order/<str:number>/", checkout.order, name="order"),
    path("order/<str:number>/cancel/", account.cancel, name="order-cancel"),
    path("account/", account.orders, name="orders"),
    path("account/signup/", account.sign_up, name="signup"),
    path(
        "account/login/",
        LoginView.as_view(
            template_name="shop/login.html", authentication_form=LoginForm, redirect_authenticated_user=True
        ),
        name="login",
    ),
    path("account/logout/", LogoutView.as_view(), name="logout"),
    path("privacy/", privacy.privacy, name="privacy"),
    path("privacy/consent/", privacy.consent, name="consent"),
    path("admin/", admin.site.urls),
    path("ecomrec/", include("ecomrec_django.urls")),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UserCreationForm
from django.contrib.auth.models import User

from .cart import MOST_PIECES
from .models import Review


class LoginForm(AuthenticationForm):
    """The usual one, without taking the focus away from the page's beginning."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs.pop("autofocus", None)


class SignUpForm(UserCreationForm):
    email = forms.EmailField(widget=forms.EmailInput(attrs={"autocomplete": "email"}))

    class Meta:
        model = User
        fields = ["username", "email"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs.pop("autofocus", None)


class AddForm(forms.Form):
    sku = forms.CharField(max_length=64)
    quantity = forms.IntegerField(min_value=1, max_value=MOST_PIECES, required=False)
    next = forms.CharField(required=False)

    def clean_quantity(self) -> int:
        return self.cleaned_data["quantity"] or 1


class UpdateForm(forms.Form):
    sku = forms.CharField(max_length=64)
    quantity = forms.IntegerField(min_value=0, max_value=MOST_PIECES)


class CheckoutForm(forms.Form):
    name = forms.CharField(max_length=255, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    address = forms.CharField(
        max_length=1000, widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"})
    )
    # What the customer was shown; an order at any other total is not what they agreed to.
    total = forms.DecimalField(widget=forms.HiddenInput)


class ReviewForm(forms.ModelForm):
    STARS = [(5, "★★★★★ Excellent"), (4, "★★★★☆ Good"), (3, "★★★☆☆ Fair"), (2, "★★☆☆☆ Poor"), (1, "★☆☆☆☆ Bad")]
    rating = forms.TypedChoiceField(choices=STARS, coerce=int)

    class Meta:
        model = Review
        fields = ["rating", "text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 3, "maxlength": 4000})}
        labels = {"text": "Your review"}

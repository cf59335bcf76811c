from django import template

register = template.Library()


@register.filter
def stars(rating) -> str:
    """4.3 -> ★★★★☆"""
    full = max(0, min(5, round(rating or 0)))
    return "★" * full + "☆" * (5 - full)

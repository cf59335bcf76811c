"""What the admin pages are composed of: charts, cards, filters and thumbnails; nothing here is a ModelAdmin."""

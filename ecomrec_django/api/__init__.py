"""REST endpoints: offers, slots, beacon, consent and personal data for pages; explanations and reports for staff."""

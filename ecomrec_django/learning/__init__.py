"""Everything that is learned, as pure functions and arrays. Imports no Django and no other room but errors."""

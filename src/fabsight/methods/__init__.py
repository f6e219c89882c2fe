"""How training learns; each method is one plain loop."""

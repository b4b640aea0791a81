"""One module per kind of input: open it, check it, bring it into the normal layout."""

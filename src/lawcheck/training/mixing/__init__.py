"""How shares of a mixture follow from losses: one rule per module, found by discovery."""

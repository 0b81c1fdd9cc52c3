"""Laws of this study; each module declares one."""

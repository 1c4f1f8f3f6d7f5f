"""Which clip is filmed next, and at which seat: turns, priorities, models. Pure."""

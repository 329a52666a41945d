"""The console command; the only place in netseg that knows Hydra."""

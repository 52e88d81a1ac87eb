"""Finds session folders where no company_<id> says so, and tells what else stands there."""

"""The live page: shows what the verbs say, and calls them. It decides nothing."""

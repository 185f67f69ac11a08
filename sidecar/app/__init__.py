"""The composition root: the only place that knows every room, introduces them and ends them."""

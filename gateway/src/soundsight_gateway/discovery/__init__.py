"""Where the endpoints of a videogen pool are: addresses, names in DNS, Services of Kubernetes.

`targets` reads what is configured, `following` keeps a pool told of the addresses behind it.
"""

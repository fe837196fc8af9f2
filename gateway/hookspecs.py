"""The plugin contract: the hooks that a plugin can implement.

A plugin is one Python file in a ``plugins`` folder, or an installed package with an entry
point in the group ``taco_gateway``. It implements a hook by the hook's name::

    from gateway import Hmac, Provider, hookimpl

    @hookimpl
    def register_providers(register):
        register(Provider("acme", title="Acme", signature=Hmac(header="X-Acme-Signature")))
"""

from collections.abc import Callable

import pluggy

from gateway.channel_kind import ChannelKind
from gateway.provider import Provider

PROJECT = "taco_gateway"
"""The name of the plugin project and of the entry point group."""

Register = Callable[[Provider], None]
RegisterChannel = Callable[[ChannelKind], None]

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_providers(register: Register) -> None:
    """Call ``register`` with each provider that the plugin adds.

    Called once, when the gateway starts. A provider's rules are in the file
    ``<name>.yaml`` of a ``rules`` folder.
    """


@hookspec
def register_channels(register: RegisterChannel) -> None:
    """Call ``register`` with each kind of channel that the plugin adds.

    Called once, when the gateway starts. A kind with the name of one that comes with the
    gateway stands in its place.
    """

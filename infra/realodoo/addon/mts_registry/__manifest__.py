{
    "name": "Registry of the MTS connector's tests",
    "summary": "The models and fields of OpenG2P's registry that the connector relies on",
    "version": "1.0",
    "author": "MTS connector",
    "license": "LGPL-3",
    "depends": ["base", "web"],
    "data": ["data/groups.xml", "security/ir.model.access.csv", "data/types.xml"],
    "post_init_hook": "people",
    "installable": True,
}

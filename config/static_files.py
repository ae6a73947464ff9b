"""How style sheets and scripts are kept and named in production."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Compressed, each under a name that tells its content, in the imports of scripts too."""

    support_js_module_import_aggregation = True

"""`moorage worker`: do jobs, beside the servers or in place of their doing it."""

import signal
import threading

from registry.cli.common import Config, Data, read_settings, say, stop

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def worker(config: Config = None, data: Data = None) -> None:
    """Do jobs until SIGTERM. It takes the settings of the servers; set jobs.in_server = false for them to do none."""
    settings, _ = read_settings(config, {"storage": {"path": data}} if data is not None else None)
    from registry.app import job_worker
    from registry.catalog.errors import CatalogError, CatalogUnavailable
    from registry.catalog.schema import SchemaError
    from registry.cli.administration import become_owner
    from registry.edge.logs import configure_logging
    from storage.errors import StorageError
    from storage.layout import Layout

    configure_logging(settings.log.format, settings.log.level)
    told = threading.Event()
    try:
        if "files" in settings.storage.stores or settings.database.url is None:
            become_owner(settings.storage.path)
            Layout.open(settings.storage.path)
        with job_worker(settings) as runner:
            for number in SIGNALS:
                signal.signal(number, lambda *_: told.set())
            runner.start()
            say("Moorage does jobs here until it is told to stop.")
            told.wait()
            runner.stop()
    except CatalogUnavailable as error:
        stop(f"the database cannot be used now: {error}")
    except (SchemaError, StorageError, CatalogError) as error:
        stop(str(error))

"""A limit on skipped tests: what is skipped unnoticed is not tested.

    pytest -p plugin_skips --max-skips 12

Also registers the Hypothesis profile of `make fuzz`: `--hypothesis-profile=fuzz`.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz", max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck)
)


def pytest_addoption(parser):
    parser.addoption("--max-skips", type=int, default=None, help="fail when more tests skip")


def pytest_terminal_summary(terminalreporter, config):
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {}
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
    most = config.getoption("--max-skips")
    if most is not None and len(skipped) > most:
        terminalreporter.write_line(f"{len(skipped)} tests skipped, at most {most} may", red=True)


def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    most = session.config.getoption("--max-skips")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if most is not None and len(skipped) > most and session.exitstatus == 0:
        session.exitstatus = 1

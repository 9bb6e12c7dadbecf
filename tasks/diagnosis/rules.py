"""Diagnosis by rules: known failures in plain words, without a model.

The rules are a table in `rule_table`, tried from the top; the first that knows an exception of the chain
answers. A closed quality gate is explained from its findings instead.
"""

import re

from tasks.diagnosis.prompt import ready_prompt
from tasks.diagnosis.report import Diagnosis, FailureReport, Link, QualityFinding
from tasks.diagnosis.rule_table import CRITERIA, PROGRAM_FAULTS, RULES, Rule


def diagnose_by_rules(report: FailureReport) -> Diagnosis | None:
    """The diagnosis of a known failure; None for one that no rule knows."""
    if report.findings:
        return _closed_gate(report)
    for rule in RULES:
        link = next((link for link in report.chain if _knows(rule, link)), None)
        if link is not None:
            return _applied(rule, link, report)
    return None


def _knows(rule: Rule, link: Link) -> bool:
    if rule.kinds & link.kinds:
        return True
    if rule.says is None or link.kinds & PROGRAM_FAULTS:
        return False  # `KeyError: 'timeout'` names a key, not what happened
    return re.search(rule.says, f"{link.error}: {link.message}", re.IGNORECASE) is not None


def _applied(rule: Rule, link: Link, report: FailureReport) -> Diagnosis:
    where = report.failing_line or "a place without source of ours"
    said = f"{link.error}: {link.message}" if link.message else link.error
    return Diagnosis(
        summary=f"{rule.summary} (stage '{report.stage}')",
        root_cause=f"{rule.cause}\n\nIt said: {said}\nIt happened at {where}",
        suggested_fix=rule.fix,
        claude_prompt=ready_prompt(report),
        source="rules",
    )


def _closed_gate(report: FailureReport) -> Diagnosis:
    items = ", ".join(dict.fromkeys(one.item for one in report.findings))
    criteria = dict.fromkeys(one.criterion for one in report.findings)
    return Diagnosis(
        summary=f"The quality gate closed on {items}: {', '.join(criteria)} below the threshold.",
        root_cause="\n".join(map(_shortfall, report.findings)),
        suggested_fix="\n".join(f"- {name}: {CRITERIA.get(name, CRITERIA['*'])}" for name in criteria),
        claude_prompt=ready_prompt(report),
        source="rules",
    )


def _shortfall(found: QualityFinding) -> str:
    return f"- {found.item}, {found.criterion} {found.score:.2f} < {found.threshold:.2f}: {found.reason}"

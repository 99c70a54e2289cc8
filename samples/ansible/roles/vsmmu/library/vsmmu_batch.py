#!/usr/bin/python
# Licensed under the Apache License, Version 2.0.
"""Runs `vsmmu batch` on a host and reports to Ansible what changed."""

import json

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: vsmmu_batch
short_description: Convert the domains of a libvirt for vSMMUs, or roll them back
description:
  - Runs C(vsmmu batch convert) or C(vsmmu batch rollback). In check mode nothing is changed.
options:
  action: {type: str, choices: [convert, rollback], default: convert, description: What to do.}
  program: {type: path, default: vsmmu, description: The program.}
  state: {type: path, default: /var/lib/vsmmu, description: The folder that keeps the runs.}
  connect: {type: str, default: 'qemu:///system', description: The URI of libvirt, for C(convert).}
  domains: {type: list, elements: str, default: [], description: Names or UUIDs of domains. Empty means all.}
  options: {type: list, elements: str, default: [], description: More options of C(vsmmu batch convert).}
  run: {type: str, default: '', description: The run to roll back. Empty means the last one.}
  force: {type: bool, default: false, description: Roll back domains that were edited since, too. The edits are lost.}
  refused: {type: str, choices: [warn, fail], default: warn, description: How to report a domain that was refused.}
  limit: {type: int, default: 3600, description: The number of seconds that a run may take.}
"""

RETURN = r"""
run: {type: str, returned: always, description: The ID of the run, for a rollback.}
totals: {type: dict, returned: always, description: The number of domains per verdict.}
domains: {type: list, returned: always, description: Each domain with its verdict and the reason.}
"""


def command_line(parameters, check_mode, diff):
    """Returns the arguments of vsmmu. Names follow `--`, so a name is never read as an option."""
    # SIGTERM ends a run after the domains in progress, and `vsmmu batch resume` continues it.
    argv = ["timeout", "-k", "60", str(parameters["limit"]), parameters["program"], "batch", parameters["action"], "--json", "--state", parameters["state"]]
    if parameters["action"] == "convert":
        argv += ["--connect", parameters["connect"]] + parameters["options"]
        argv += [] if parameters["domains"] else ["--all"]
        argv += ["--diff"] if diff else []
        argv += [] if check_mode else ["--apply"]
    else:
        argv += ["--run", parameters["run"]] if parameters["run"] else []
        argv += ["--force"] if parameters["force"] else []
    return argv + ["--"] + parameters["domains"]


def main():
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "choices": ["convert", "rollback"], "default": "convert"},
            "program": {"type": "path", "default": "vsmmu"},
            "state": {"type": "path", "default": "/var/lib/vsmmu"},
            "connect": {"type": "str", "default": "qemu:///system"},
            "domains": {"type": "list", "elements": "str", "default": []},
            "options": {"type": "list", "elements": "str", "default": []},
            "run": {"type": "str", "default": ""},
            "force": {"type": "bool", "default": False},
            "refused": {"type": "str", "choices": ["warn", "fail"], "default": "warn"},
            "limit": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    if parameters["action"] == "rollback" and module.check_mode:
        module.exit_json(skipped=True, msg="a rollback does nothing in check mode")

    code, stdout, stderr = module.run_command(command_line(parameters, module.check_mode, module._diff))
    if code == 124:
        module.fail_json(msg="vsmmu took longer than %d seconds" % parameters["limit"], rc=code)
    try:
        answer = json.loads(stdout)
    except ValueError:
        module.fail_json(msg=stderr.strip() or "vsmmu printed no JSON", rc=code)
    domains = answer.get("domains", [])
    result = {
        "changed": answer["changed"],
        "run": answer.get("run"),
        "totals": answer.get("totals", {}),
        "domains": [{key: domain.get(key) for key in ("id", "name", "verdict", "why")} for domain in domains],
    }
    if module._diff:
        result["diff"] = [{"prepared": domain["diff"]} for domain in domains if domain.get("diff")]

    refused = ["%s: %s" % (each["name"], each.get("why")) for each in domains if each["verdict"] == "refused"]
    failed = ["%s: %s" % (each["name"], each.get("why")) for each in domains if each["verdict"] == "failed"]
    if code not in (0, 1) or failed or (refused and parameters["refused"] == "fail"):
        module.fail_json(msg="; ".join(failed + refused) or stderr.strip(), rc=code, **result)
    for line in refused:
        module.warn(line)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

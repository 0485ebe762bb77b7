"""Whether the files of `wsfix template` are what they say: template_lint.py WSFIX

cfn-lint with AWS's own schemas, for stacks in every mode.
"""

import pathlib
import subprocess
import sys

from judge import check, folder, main

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


def run(wsfix):
    wsfix = str(pathlib.Path(wsfix).absolute())
    tools = pathlib.Path(sys.executable).parent
    stacks = [path for name in ("cloudformation", "sam") for config in CONFIGS for path in templates(wsfix, config, name) if path.suffix == ".yaml"]
    check(len(stacks) == 6, "two stacks for each config", stacks)
    judged([tools / "cfn-lint", "--include-checks", "I", "--regions", "us-east-1", "eu-west-1", "ap-south-1", "--", *stacks], "cfn-lint finds nothing")
    broken = stacks[0].with_name("broken.yaml")
    broken.write_text(stacks[0].read_text().replace("RetentionInDays: 14", "RetentionInDays: 15"))
    judged([tools / "cfn-lint", "--", broken], "and sees what is wrong", expected=2)


if __name__ == "__main__":
    main(run)

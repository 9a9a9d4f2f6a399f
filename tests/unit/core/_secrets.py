"""Believable secrets and harmless telemetry. Secrets are put together from pieces: a scanner must not take them
for real ones."""

from __future__ import annotations

import base64

DIGITS = "0123456789"
LETTERS = "AbCdEfGhIjKlMnOpQrStUvWxYz"
MIXED = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def mixed(length: int) -> str:
    return (MIXED * 4)[:length]


def b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


JWT = ".".join((b64('{"alg":"HS256","typ":"JWT"}'), b64('{"sub":"1234567890"}'), mixed(43)))
PEM_BODY = "\n".join(mixed(64) for _ in range(3))


def pem(label: str = "RSA ") -> str:
    return f"-----BEGIN {label}PRIVATE KEY-----\n{PEM_BODY}\n-----END {label}PRIVATE KEY-----"


MADE_KEYS = {
    "openai": "sk-" + mixed(48),
    "openai project": "sk-" + "proj-" + mixed(40) + "_" + mixed(20),
    "anthropic": "sk-" + "ant-api03-" + mixed(40) + "-" + mixed(20),
    "openrouter": "sk-" + "or-v1-" + HEX * 2,
    "langfuse": "sk-" + "lf-12345678-1234-4123-8123-123456789012",
    "aws": "AK" + "IA" + "IOSFODNN7EXAMPLE",
    "aws session": "AS" + "IA" + "IOSFODNN7EXAMPLE",
    "github": "gh" + "p_" + mixed(36),
    "github app": "gh" + "s_" + mixed(36),
    "github fine-grained": "github" + "_pat_" + mixed(22) + "_" + mixed(59),
    "gitlab": "gl" + "pat-" + mixed(20),
    "google": "AI" + "za" + mixed(35),
    "google oauth": "ya" + "29." + mixed(60),
    "slack bot": "xo" + "xb-" + "123456789012-" + mixed(24),
    "slack user": "xo" + "xp-" + "123456789012-" + mixed(24),
    "slack app": "xa" + "pp-1-A0B1C2-" + mixed(30),
    "slack webhook": "hooks." + "slack.com/services/T00000000/B00000000/" + mixed(24),
    "grafana account": "gl" + "sa_" + mixed(32) + "_0f1e2d3c",
    "grafana cloud": "gl" + "c_" + b64('{"o":"1","n":"x","k":"' + mixed(24) + '"}'),
    "grafana older": b64('{"k":"' + mixed(32) + '","n":"x","id":1}'),
    "stripe": "sk" + "_live_" + mixed(24),
    "stripe restricted": "rk" + "_test_" + mixed(24),
    "stripe webhook": "wh" + "sec_" + mixed(32),
    "hugging face": "hf" + "_" + mixed(34),
    "groq": "gs" + "k_" + mixed(52),
    "xai": "xa" + "i-" + mixed(80),
    "replicate": "r8" + "_" + mixed(37),
    "perplexity": "pp" + "lx-" + mixed(48),
    "langsmith": "ls" + "v2_pt_" + HEX + "_0f1e2d3c4b",
    "npm": "np" + "m_" + mixed(36),
    "pypi": "py" + "pi-" + mixed(80),
    "docker": "dc" + "kr_pat_" + mixed(27),
    "digitalocean": "do" + "p_v1_" + HEX * 2,
    "shopify": "sh" + "pat_" + HEX,
    "databricks": "da" + "pi" + HEX,
    "new relic": "NR" + "AK-" + mixed(27).upper(),
    "vault": "hv" + "s." + mixed(24),
    "sendgrid": "S" + "G." + mixed(22) + "." + mixed(43),
    "twilio": "S" + "K" + HEX,
    "age": "AGE-" + "SECRET-KEY-1" + mixed(58).upper(),
    "telegram": "123456789" + ":AA" + mixed(33),
    "our own": "aw" + "f_" + mixed(43),
    "jwt": JWT,
}
"""Keys of known makers, by maker; each is one `[api_key]`."""

MASKED = {
    # e-mail
    "mail bob@example.com now": "mail [email] now",
    "From: Bob <bob.smith+tag@mail.example.co.uk>": "From: Bob <[email]>",
    "jörg@münchen.example": "[email]",
    "GET /users?mail=bob%40example.com&page=2": "GET /users?mail=[email]&page=2",
    "a@x.org;b@y.org, c@z.org.": "[email];[email], [email].",
    # cards
    "card 4111 1111 1111 1111 declined": "card [card] declined",
    "card=4111-1111-1111-1111": "card=[card]",
    "5555555555554444": "[card]",
    "amex 3782 822463 10005": "amex [card]",
    "378282246310005,2223003122003222": "[card],[card]",
    "6011111111111117 and 3530111333300000": "[card] and [card]",
    "30569309025904": "[card]",
    "4222222222222": "[card]",
    "6205500000000000004": "[card]",
    # headers
    f"Authorization: Bearer {mixed(30)}": "Authorization: Bearer [bearer]",
    "curl -H 'Authorization: Bearer abcdefgh' http://x": "curl -H 'Authorization: Bearer [bearer]' http://x",
    "Authorization: Basic " + b64("bob:hunter2"): "Authorization: Basic [bearer]",
    'Authorization: Digest username="bob", response="6629"\nHost: x': "Authorization: Digest [bearer]\nHost: x",
    "Proxy-Authorization: " + mixed(20): "Proxy-Authorization: [bearer]",
    "sent Bearer " + mixed(20) + ", got 401": "sent Bearer [bearer], got 401",
    "auth was Basic " + b64("bob:hunter2"): "auth was Basic [bearer]",
    "Authorization:[Bearer abc1] Accept:[*/*]": "Authorization:[bearer] Accept:[*/*]",
    "Cookie: theme=dark; sid=abc\r\nHost: x": "Cookie: [secret]\r\nHost: x",
    "Set-Cookie: sid=abc; Path=/; HttpOnly": "Set-Cookie: [secret]",
    "X-Api-Key: abc123": "X-Api-Key: [secret]",
    # private keys
    f"key:\n{pem()}\nrest": "key:\n[private_key]\nrest",
    f"key:\n{pem('ENCRYPTED ')}": "key:\n[private_key]",
    pem("")[:150]: "[private_key]",
    f"{PEM_BODY}\n-----END EC PRIVATE KEY----- rest": "[private_key] rest",
    # URLs
    "postgres://bob:hunter2@db:5432/app": "postgres://bob:[password]@db:5432/app",
    "redis://:hunter2@cache/0": "redis://:[password]@cache/0",
    "amqp://bob:p:w@mq and http://x": "amqp://bob:[password]@mq and http://x",
    "postgres://bob:p@ss@db.example.com/app": "postgres://bob:[password]@db.example.com/app",
    f"https://{mixed(40)}@github.com/o/r": "https://[password]@github.com/o/r",
    "GET /?token=abc&user=bob#x": "GET /?token=[secret]&user=bob#x",
    "https://x/?X-Amz-Credential=AB%2F2026&X-Amz-Signature=0f1e": "https://x/?X-Amz-Credential=[secret]&X-Amz-Signature=[secret]",
    # names and values
    "password=hunter2": "password=[password]",
    "user=bob password=hunter2, host=db": "user=bob password=[password], host=db",
    "Server=db;Password=a;b,c;Database=x": "Server=db;Password=[password];Database=x",
    "(password=hunter2)": "(password=[password])",
    "password: correct": "password: [password]",
    "{password: hunter2}": "{password: [password]}",
    '{"password": "hun\\"ter, 2", "user": "bob"}': '{"password": "[password]", "user": "bob"}',
    r'{"body": "{\"token\": \"abc\", \"n\": 1}"}': r'{"body": "{\"token\": \"[secret]\", \"n\": 1}"}',
    "{'api_key': 'abc', 'n': 1}": "{'api_key': '[secret]', 'n': 1}",
    "Config(password='a b', n=1)": "Config(password='[password]', n=1)",
    "cut off: {'secret': 'abc": "cut off: {'secret': '[secret]",
    "DB_PASS=x1 clientSecret=x2 AWS_SECRET_ACCESS_KEY = x3": "DB_PASS=[password] clientSecret=[secret] AWS_SECRET_ACCESS_KEY = [secret]",
    "deploy --password hunter2 --api-key=abc --verbose": "deploy --password [password] --api-key=[secret] --verbose",
    "<password>hunter2</password>": "<password>[password]</password>",
    'credentials: ["abc", "def"]': "credentials: [secret]",
    "client secret: abc": "client secret: [secret]",
    "session=8f3a csrfmiddlewaretoken=abc JSESSIONID=abc": "session=[secret] csrfmiddlewaretoken=[secret] JSESSIONID=[secret]",
    '{"private_key": "' + pem().replace("\n", "\\n") + '\\n"}': '{"private_key": "[private_key]\\n"}',
    "password=bob@example.com!": "password=[password]!",
    "OPENAI_API_KEY=" + MADE_KEYS["openai"]: "OPENAI_API_KEY=[api_key]",
    "otp=123456": "otp=[secret]",
    "password=$ecret1 pw: password=%pass": "password=[password] pw: password=[password]",
    "UID=sa;PWD={hunter2};DSN=x": "UID=sa;PWD=[password];DSN=x",
    "Settings(token=SecretStr('abc'), n=1)": "Settings(token=SecretStr('[secret]'), n=1)",
    "password=b'hunter2' token=b\"abc\"": "password=b'[password]' token=b\"[secret]\"",
    r'{\"token\": \"a\\\"b\", \"n\": 1}': r'{\"token\": \"[secret]\", \"n\": 1}',
    "ALTER USER bob WITH PASSWORD 'hunter2'": "ALTER USER bob WITH PASSWORD '[password]'",
    "headers=[(b'cookie', b'sid=abc'), ('x-api-key', 'abc')]": "headers=[(b'cookie', b'[secret]'), ('x-api-key', '[secret]')]",
    "password=a<b>c <p>": "password=[password] <p>",
    "userpass=hunter2 dbpass: x": "userpass=[password] dbpass: [password]",
    "card 4111111111111111-12/27": "card [card]-12/27",
    "<token>abc</token>": "<token>[secret]</token>",
    "['password'] = 'hunter2'": "['password'] = '[password]'",
}  # fmt: skip
"""Text -> the same with masks."""

HARMLESS = [
    "",
    " ",
    "Step summarise of workflow report completed in 1234 ms",
    "awf_export_redactions_total",
    "awf_watcher_investigation_duration_ms_bucket_and_some_more_words",
    "gen_ai.usage.input_tokens=1200 gen_ai.usage.output_tokens=300",
    "input_tokens: 12, output_tokens: 44, total_tokens: 56",
    '{"max_tokens": 4096, "token_count": 3, "tokens": 9}',
    "token_type: Bearer",
    '"token_type": "bearer"',
    "time_to_first_token=120ms cost_per_token=0.0001",
    "tokens: 5120 of 128000",
    "token budget: 5120",
    "Unexpected token: end",
    "SyntaxError: unexpected token < in JSON at position 0",
    "invalid token: expected",
    "next_page_token=abc eos_token=</s>",
    "password=None token=null secret=true api_key=''",
    'password="" token={token} secret=${SECRET} key=%(key)s password=***',
    "AWF_TOKEN_FILE=/run/secrets/token token_endpoint: https://idp/token",
    "password_policy: strict, secret_name=db, cookie_name: sid, session_id=8f3a",
    "bearer authentication failed",
    "Basic authentication is off",
    "authorization: denied",
    "the session: started",
    "author: Bob, authority=x, secretary: Ann, bypass=1, compass: north, keyboard: us",
    "cache_key=abc idempotency_key: abc primary_key=id public_key=abc key: value",
    "1769860800123456789",
    "1769860800123",
    "at 1769860800123456 us",
    "2026-01-31T12:00:00.123456789Z",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "12345678-1234-4123-8123-123456789012",
    "41111111-1111-4111-8111-111111111111",
    "4111111111111112",
    "0.4111111111111111 4111111111111111.5",
    "id4111111111111111",
    "41111111111111111111",
    "9411111111111111",
    "01KFCV2Z8N5W9Q4T7R3Y6M1XAB",
    "exe_0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "gpt-4o-2024-08-06 claude-sonnet-4-5-20250929 gemini-2.5-pro",
    "sk-learn-contrib-some-long-package-name",
    "lodash@4.17.21 pkg@1.0.0-rc1",
    "git@github.com:org/repo.git",
    "image@sha256:0f1e2d3c4b5a",
    "root@localhost",
    "http://127.0.0.1:4318/v1/traces",
    "https://host:8080/users/me@here?x=1",
    "grpc://collector:4317",
    "10.0.0.12:9009 v1.45.0-beta.2+build.17",
    "-----BEGIN CERTIFICATE----- abc -----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY----- abc -----END PUBLIC KEY-----",
    'rate(awf_step_duration_ms_count{workflow_id="report"}[5m]) > 0.5',
    "eyJ is how a JSON web token begins",
    "status=failed reason=timeout attempt=3 retry_count=2",
    "C:\\Users\\bob\\file.txt",
    "[email] and [password:3fa9c1d20b7e]",
    "PWD=/home/bob OLDPWD=/",
    "missing fields ['password', 'email', 'name']",
    "unexpected token 'end'",
    "password={settings.db_password} token={} secret={{ secret }} key ${{ secrets.KEY }}",
    "token=<your-token> password=%s password=$DB_PASSWORD",
    "account_sid=AC0f1e call_sid: CA0f1e",
    "secret_arn=arn:aws:secretsmanager:x",
    "😀 naïve 日本語 ſ K",
]
"""Telemetry that must stay as it is."""

"""Secret keys that everybody knows: those of documentation, tutorials, books and default configurations."""

from __future__ import annotations

import re

#: Keys that were published, in lower case.
KNOWN = frozenset(
    key.lower()
    for key in (
        # Flask's documentation over the years.
        "dev",
        "development key",
        '_5#y2L"F4Q8z\n\xec]/',
        "A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        # Books and series of articles about Flask.
        "you-will-never-guess",
        "hard to guess string",
        "my_precious",
        "5791628bb0b13ce0c676dfde280ba245",
        # Default configurations of applications and their deployments: Superset (CVE-2023-27524), Flask-AppBuilder, Airflow
        # (CVE-2020-17526).
        "\2\1thisismyscretkey\1\2\\e\\y\\y\\h",
        "\\2\\1thisismyscretkey\\1\\2\\e\\y\\y\\h",
        "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET_KEY",
        "thisISaSECRET_1234",
        "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
        "TEST_NON_DEV_SECRET",
        "temporary_key",
        # What people write to go on.
        "secret",
        "secret key",
        "secret_key",
        "secretkey",
        "super secret",
        "super secret key",
        "super-secret",
        "supersecret",
        "mysecret",
        "mysecretkey",
        "thisisasecret",
        "top secret",
        "topsecret",
        "s3cr3t",
        "key",
        "dev key",
        "dev-key",
        "devkey",
        "development",
        "test",
        "testing",
        "test key",
        "random string",
        "password",
        "changeme",
        "change me",
        "change-me",
        "change_me",
        "changethis",
        "foobar",
        "12345",
        "123456",
        "12345678",
        "1234567890",
        "qwerty",
    )
)

#: What stands in a key that waits to be replaced. That a random key has one of these by chance is out of
#: the question: the shortest has seven letters.
PLACEHOLDER = re.compile(
    r"change.?(?:me|this|it).|your.?(?:own.?)?(?:random|secret|key)|super.?secret|secret.?key|insecure|"
    r"placeholder|replace.?(?:me|this)|do.?not.?use|not.?(?:so.?)?secret|password|development",
    re.IGNORECASE,
)

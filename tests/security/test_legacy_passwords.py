"""Hashes that Werkzeug, Django, passlib and Flask-Security made of one password, with few rounds where these may be chosen.

They were made with Werkzeug 3.1.9, Django 5.2.19, passlib 1.7.4 and Flask-Security 5.9.2.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap

import pytest
from argon2 import extract_parameters

from erlen.ext.security.passwords import Passwords
from erlen.ext.security.settings import Settings

#: The umlaut has two forms in Unicode, and Flask-Security hashes the other one than Django.
PASSWORD = "Tr0ub4dor & K\u00e4se"
SALT = "146585145368132386173505678016728509634"

HASHES = {
    "werkzeug scrypt": "scrypt:16384:8:1$VwzxNj4hH9E28Vaq$f29981754d9e2467540ecb6daa70fc58868cbf13b6c562cd8b756a933be515540b57ed5bd6898c059b435a658dbcd0995193249157288f17d177c6d14c3d682f",
    "werkzeug pbkdf2": "pbkdf2:sha256:1000$iuqXyyxWkAc2BDfN$ad4333c8bf7a0e68a19d94540f9c660a84380851a1466b16aa8d76f389019c74",
    "werkzeug pbkdf2 sha512": "pbkdf2:sha512:1000$RBSS8t0W0fLFQyD5$fddf792792e138d050c6677627d98ac10730ec2653df9f388630b5f9200227acf446fa47331075c9bcf0c85c35473a9ae97904aa83aca8f2fc035a172252c02a",
    "werkzeug pbkdf2 sha1": "pbkdf2:sha1:1000$GwdfM2DTUViGcE0B$e8ce7b932ad0f22d7e99426c8d589031af03445f",
    "django pbkdf2_sha256": "pbkdf2_sha256$1000$saltSALT0123456789abcd$SZchuTGUsLNnMnm8HPegvu0TexHHM44JhnprVpjAOxY=",
    "django pbkdf2_sha1": "pbkdf2_sha1$1000$saltSALT0123456789abcd$IzmPLmeEpAVZS9e0H4jc1u34/UQ=",
    "django argon2": "argon2$argon2id$v=19$m=1024,t=1,p=8$UU02NW9rS1NtR1ZaZjcwWVNzaDJMWQ$SItrzYvEdo7EwaXKNL2p4eg4rFAUdYoetjAQFp17WiM",
    "django bcrypt_sha256": "bcrypt_sha256$$2b$04$pH/vzEUxUDXynjxdEbZpT.dbUorOGOP/9xrSxmZH0Ugdkksl35gee",
    "django bcrypt": "bcrypt$$2b$04$/vd7CVTkyMTaptlEiBKa5u4lvPs9eJvF3I1yulQsaCkhqYVEowVly",
    "django scrypt": "scrypt$1024$LhlT9Vw0HUPgWIsmhXrSrZ$8$5$mpAHIETN8gEZFl9i3eXhMPtyFgnHKpi0vcM4AbmKUQugP2xrO/OtIqjdR1RIoOjBAk3oxPTejW4arpfFcSbwyQ==",
    "passlib pbkdf2_sha512": "$pbkdf2-sha512$1000$mDMmBAAgJMR4T2nt/T9HiA$hmFtU2knDU0oTep3x86o4umMiS2F485qDA1/jIHLv6O0/vtPFoa.MYCCSh2odR.csWw5frmApqeBeVkogJahog",
    "passlib pbkdf2_sha256": "$pbkdf2-sha256$1000$YwzB.H.vNWaM0fq/1/ofww$VNtZ7a6VjeU/LiWkXB8CGiiA2dLDtiUmeu00lFKaSdQ",
    "passlib pbkdf2_sha1": "$pbkdf2$1000$GuOcs1ZqjfFe6723tra2tg$rW4ERigZl51j41kFQuKPhbjLi8U",
    "passlib bcrypt": "$2b$04$tzXffv8bQqWZAoamDVu.ze41JPykyywt4mA2TmyafsM9LY8EbtK7m",
    "passlib bcrypt 2a": "$2a$04$/ZNxDxesoVwh44IXYu1uP.DiQKvN11.Q5ASjC/DJRcUXCXkKqXRBC",
    "passlib bcrypt 2y": "$2y$04$33BGIgZaf2XfWpcHYAkp1.FEdZOShQJGGVE/MPYHcyIYFppHzKt5K",
    "passlib bcrypt_sha256": "$bcrypt-sha256$v=2,t=2b,r=4$.UMAvepCOLdkhaBpicIFPO$r6oLDNfh44fDZOLhd0al.VK70eHT7aO",
    "passlib bcrypt_sha256 1": "$bcrypt-sha256$2b,4$ihNTx6h.DOVzii9L//lvlu$sIhEbOYXNcJUVfWtduoM6Dv4JdH9Pya",
    "passlib argon2": "$argon2id$v=19$m=1024,t=1,p=1$pFQqRchZa42RUuq9t5ay1g$o+4F6Wyd5jtXS5V7gXh21BsWUP5vcm67LWu9/lYU1d8",
    "passlib argon2i": "$argon2i$v=19$m=1024,t=1,p=2$UooxxhgjRIiRsnaOcW6tVQ$QrHDIXBV++FujRUaadK3tMjJj4x4e61jJPGHJnyL/Lg",
    "flask-security pbkdf2_sha512 double": "$pbkdf2-sha512$1000$wlgLwRjDOEfo3VvLubc2Bg$Ix/cIqMqnhnfc7yflNw0tokVC2IQAJWnNswXYGev25ICiu1RWICtcowcUsUAH.4WLU.LBQ50u4qXBmlbQBNG.w",
    "flask-security pbkdf2_sha512 single": "$pbkdf2-sha512$1000$dO79n9N6LwXgnDMGIMT43w$ZeCxFs18sARorkbBaCyqpgMTzyk/HGex6xaopRuuyhSaJhWMMx69/JgnoBEU9kdAfE72pctY.uRA18n2D6GPuw",
    "flask-security bcrypt double": "$2b$04$wHIz8RPUFLhheNWd93TN2.XfuVs5AkN8EAkg4EiXA9KEBi.imfqJS",
    "flask-security bcrypt single": "$2b$04$a7HfopUrWP.Xqt/q9sEZhutQqhQQuHgxBz1WelTnRhobdYSbPmtTq",
    "flask-security argon2 double": "$argon2id$v=19$m=65536,t=3,p=4$UUqJcc75H6N0LkUoZUzJmQ$jGJUyGLfhRF/R2d37C8/yqvNG6c29Zlv1kJR7Ebl3hs",
}

#: What bcrypt made of eighty times `x`, of which it looks at 72.
CUT = "$2b$04$S3//bEioXYObXUQvSH.5G.fdY3BKUNGDaX25nUCQ3pLapJvQYAmxW"

UNUSABLE = "!jFfZJZtG0s2iNL5Etn0MRCvlz6rgqlV2GBkdmtYt"


@pytest.fixture
def passwords(settings: Settings) -> Passwords:
    return Passwords(settings, legacy_salt=SALT)


@pytest.mark.parametrize("kind", HASHES)
def test_a_hash_of_other_software_is_checked_and_replaced(passwords: Passwords, kind: str) -> None:
    verdict = passwords.verify(PASSWORD, HASHES[kind])
    assert verdict.matches
    assert verdict.replacement is not None
    assert verdict.replacement.startswith("$argon2id$v=19$m=7168,t=1,p=1$")
    again = passwords.verify(PASSWORD, verdict.replacement)
    assert again.matches
    assert again.replacement is None


# The last one is Flask-Security's own cost, and another Argon2 is in the list.
@pytest.mark.parametrize("kind", [kind for kind in HASHES if kind != "flask-security argon2 double"])
@pytest.mark.parametrize(
    "wrong", ["tr0ub4dor & K\u00e4se", "Tr0ub4dor & Kase", "", "Tr0ub4dor & K\ud800", PASSWORD + "\0"]
)
def test_another_password_does_not_fit_it(passwords: Passwords, kind: str, wrong: str) -> None:
    verdict = passwords.verify(wrong, HASHES[kind])
    assert not verdict.matches
    assert verdict.replacement is None


@pytest.mark.parametrize("kind", ["django pbkdf2_sha256", "flask-security pbkdf2_sha512 single"])
def test_either_form_of_a_letter_fits(passwords: Passwords, kind: str) -> None:
    assert passwords.verify("Tr0ub4dor & Ka\u0308se", HASHES[kind]).matches


@pytest.mark.parametrize("kind", [kind for kind in HASHES if kind.endswith(" double")])
def test_what_was_mixed_with_a_salt_needs_that_salt(settings: Settings, kind: str) -> None:
    assert not Passwords(settings).verify(PASSWORD, HASHES[kind]).matches
    assert not Passwords(settings, legacy_salt="another").verify(PASSWORD, HASHES[kind]).matches


def test_a_password_that_bcrypt_cut_logs_in_and_keeps_its_hash(passwords: Passwords) -> None:
    """ASVS 6.2.8: what is past the 72nd byte was never checked, so it does not become the password."""
    for password in ("x" * 80, "x" * 72 + "a slip of the keyboard"):
        verdict = passwords.verify(password, CUT)
        assert verdict.matches
        assert verdict.replacement is None
    assert passwords.verify("x" * 72, CUT).replacement is not None
    assert not passwords.verify("x" * 71, CUT).matches


BROKEN = [
    UNUSABLE,
    "!",
    "",
    "plain text",
    "Tr0ub4dor & K\u00e4se",
    "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
    "$",
    "$$$$",
    "$argon2id$",
    "$argon2id$v=19$m=7168,t=1,p=1$$",
    "$argon2id$v=19$m=7168,t=1,p=1$c2FsdHNhbHRzYWx0$",
    "$argon2id$v=19$m=7168,t=1,p=1$c2FsdHNhbHRzYWx0$AAAA",
    "$argon2id$v=19$m=7168,t=1,p=1$!!!!!!!!!!!!$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2id$v=99$m=7168,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$argon2x$v=19$m=7168,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "scrypt:16384:8:1$salt",
    "scrypt:16384:8$salt$aa",
    "scrypt:16383:8:1$salt$aa",
    "scrypt:-1:8:1$salt$aa",
    "scrypt:1e3:8:1$salt$aa",
    "scrypt:16384:8:1$$aa",
    "pbkdf2:sha256:1000$salt$",
    "pbkdf2:md5:1000$salt$aa",
    "pbkdf2:sha256:0$salt$aa",
    "pbkdf2:sha256$salt$aa",
    "pbkdf2_sha256$1000$salt$",
    "pbkdf2_sha256$1000$$AAAA",
    "pbkdf2_sha256$x$salt$AAAA",
    "pbkdf2_sha256$1000$salt$not base64",
    "pbkdf2_sha256$\u0661000$salt$AAAA",
    "scrypt$1024$salt$8$5$",
    "scrypt$1048576$salt$1$1$AAAA",
    "$pbkdf2-sha512$1000$c2FsdA$",
    "$pbkdf2-sha512$1000$$c2FsdA",
    "$pbkdf2-sha512$1000$c2F+dA$c2FsdA",
    "$2b$04$tooshort",
    "$2b$99$" + "a" * 53,
    "$2x$04$" + "a" * 53,
    "bcrypt_sha256$$2b$04$",
    "bcrypt$",
    "$bcrypt-sha256$v=3,t=2b,r=4$" + "a" * 22 + "$" + "a" * 31,
    "argon2$",
    "argon2$argon2id$v=19$m=1,t=1,p=1$c2FsdA$AAAA",
    "\0",
    "\ud800",
    "$argon2id$" + "a" * 100_000,
]


@pytest.mark.parametrize("stored", BROKEN, ids=lambda stored: ascii(stored)[:40])
def test_a_damaged_hash_fits_no_password_and_is_no_error(passwords: Passwords, stored: str) -> None:
    for password in ("", "secret", PASSWORD, stored):
        verdict = passwords.verify(password, stored)
        assert not verdict.matches
        assert verdict.replacement is None


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ("$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43, "m=4294967295, t=1, p=1"),
        ("$argon2id$v=19$m=1048576,t=1000000,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43, "out of bounds"),
        ("$argon2id$v=19$m=65536,t=1,p=10000$c2FsdHNhbHRzYWx0$" + "A" * 43, "p=10000"),
        ("argon2$argon2id$v=19$m=2097152,t=1,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43, "m=2097152"),
        ("scrypt:1073741824:8:1$salt$aa", "scrypt with n=1073741824, r=8, p=1"),
        ("scrypt:2:1024:9999$salt$aa", "a cost of 9999"),
        ("scrypt$1073741824$salt$8$1$AAAA", "out of bounds"),
        ("pbkdf2:sha256:4000000000$salt$aa", "a cost of 4000000000"),
        ("pbkdf2_sha256$4000000000$salt$AAAA", "a cost of 4000000000"),
        ("$pbkdf2-sha512$4000000000$c2FsdA$c2FsdA", "a cost of 4000000000"),
        ("$2b$31$" + "a" * 53, "a cost of 31, where 16 is the most"),
    ],
)
def test_a_stored_hash_cannot_ask_for_more_than_a_login_may_cost(
    passwords: Passwords, caplog: pytest.LogCaptureFixture, stored: str, reason: str
) -> None:
    with caplog.at_level(logging.WARNING):
        assert not passwords.verify(PASSWORD, stored).matches
    assert reason in caplog.text
    assert "AAAA" not in caplog.text


def test_without_bcrypt_its_hashes_fit_nothing_and_the_log_names_it() -> None:
    """In a process that cannot import it, as where it is not installed."""
    code = f"""
        import logging, sys
        sys.modules["bcrypt"] = None
        from erlen.ext.security.passwords import Passwords
        from erlen.ext.security.settings import Settings
        logging.basicConfig(format="%(levelname)s %(message)s")
        print(Passwords(Settings(argon2_memory=7168, argon2_time=1)).verify("x" * 72, {CUT!r}))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "Verdict(matches=False, replacement=None)"
    assert "bcrypt, which is not installed. Install it with: pip install bcrypt" in done.stderr


def test_what_belongs_to_nobody_costs_what_a_new_hash_costs(settings: Settings) -> None:
    """Timing on login reveals accounts."""
    from erlen.ext.security.passwords.hashing import Hasher

    hasher = Hasher(settings)
    assert extract_parameters(hasher.nobodys) == extract_parameters(hasher.hash("x"))

"""Tests of a Python client with the command `openkitchen`: python3 -m unittest test_client.py"""

import http.client
import json
import os
import re
import subprocess
import tempfile
import unittest
import urllib.request

PAGE = """\
>>>
GET /menu HTTP/1.1
Host: localhost

<<<
HTTP/1.1 200 OK
Content-Length: 100

only this\\
--- server closed
"""


class Command:
    """A command of openkitchen that listens, until the block ends."""

    def __init__(self, *arguments, page=None):
        self.arguments, self.page = arguments, page

    def __enter__(self):
        pipe = subprocess.PIPE
        command = ["openkitchen", *self.arguments]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.process.stdin.write(self.page or "")
        self.process.stdin.close()
        first = self.process.stdout.readline()  # it listens by now
        self.url = re.search(r'http://[^"\s]+', first).group()  # also with --json
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class TestClient(unittest.TestCase):
    def test_a_response_that_is_cut(self):
        with Command("mock", "-", page=PAGE) as mock:
            with self.assertRaises(http.client.IncompleteRead):
                urllib.request.urlopen(mock.url + "/menu").read()
            self.assertEqual(mock.process.wait(), 0, mock.process.stdout.read())

    def test_the_request_byte_for_byte(self):
        with Command("mock", "-", "--json", page=PAGE) as mock:
            client = http.client.HTTPConnection(mock.url.removeprefix("http://"), timeout=5)
            client.request("GET", "/other", headers={"X": "é".encode("utf-8")})
            client.close()
            self.assertEqual(mock.process.wait(), 1)
            lines = [json.loads(line) for line in mock.process.stdout]
        difference, connection, end = lines[-3:]
        self.assertEqual((difference["byte"], end["verdict"]), (5, "different"))
        self.assertIn(b"\r\nX: \xc3\xa9\r\n", connection["sent"].encode("latin-1"))

    def test_what_crosses_is_recorded_and_checked_again(self):
        page = "<<<\nHTTP/1.1 200 OK\nContent-Length: 2\n\nhi\\\n"
        with tempfile.TemporaryDirectory() as folder, Command("mock", "-", "--loop", page=page) as server:
            address = server.url.removeprefix("http://")
            with Command("watch", address, "--listen", "0", "--record", folder) as watch:
                with urllib.request.urlopen(watch.url + "/") as response:
                    self.assertEqual(response.read(), b"hi")
            [recording] = [os.path.join(folder, name) for name in os.listdir(folder)]
            check = subprocess.run(
                ["openkitchen", "check", address, recording], capture_output=True, text=True
            )
            self.assertEqual(check.returncode, 0, check.stdout)


if __name__ == "__main__":
    unittest.main()

"""Downloads: their addresses, and who can use them."""

import errno
from concurrent.futures import ThreadPoolExecutor

import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ui.downloads import Offer, _offered, address, route


def hello(path):
    path.write_text("hi")


def test_addresses_stay_stable_when_many_visitors_ask_at_once(tmp_path):
    offers = [Offer(tmp_path, str(number), hello) for number in range(300)]
    before = dict(_offered)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda offer: address(offer, "a.csv"), offers))
        assert len(set(found)) == 300
        assert [address(offer, "a.csv") for offer in offers] == found
    finally:
        _offered.clear()
        _offered.update(before)


def test_downloads_are_below_the_base_path_of_the_page(tmp_path):
    before = st.get_option("server.baseUrlPath")
    st.config.set_option("server.baseUrlPath", "/tox/")
    try:
        page = TestClient(Starlette(routes=[route()]))
        assert page.get(address(Offer(tmp_path, "all", hello), "a b.csv")).text == "hi"
        assert not list(tmp_path.iterdir())
        assert page.get("/tox/downloads/guess/a.csv").status_code == 404
    finally:
        st.config.set_option("server.baseUrlPath", before)


def test_an_address_yields_what_is_offered_now_and_nothing_once_it_is_discarded(tmp_path):
    folder = tmp_path / "result"
    folder.mkdir()
    page = TestClient(Starlette(routes=[route()]))
    link = address(Offer(folder, "all", lambda path: path.write_text("old")), "a.csv")
    assert address(Offer(folder, "all", lambda path: path.write_text("new")), "a.csv") == link
    assert page.get(link).text == "new"
    folder.rmdir()
    assert page.get(link).status_code == 404


def test_a_full_disk_is_reported(tmp_path):
    def full(path):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    page = TestClient(Starlette(routes=[route()]))
    answer = page.get(address(Offer(tmp_path, "all", full), "a.csv"))
    assert (answer.status_code, answer.text[:25]) == (507, "This server cannot store ")
    assert not list(tmp_path.iterdir())

"""The page of a study in a real browser: it moves, sorts, prints, and loads nothing."""

import base64
import json
import re
import shutil

import numpy as np
import pytest

from gflow.report.frames import Frames
from gflow.report.page import page

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="needs a browser: apt-get install chromium chromium-driver"
)


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_window_size(1200, 1000)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def file(judged_study, tmp_path_factory):
    return page(judged_study, tmp_path_factory.mktemp("browser") / "study.html")


@pytest.fixture
def at_page(browser, file):
    """The page as it is when it has just been opened; no error is logged until the test ends."""
    browser.get("about:blank")
    browser.get_log("performance"), browser.get_log("browser")
    browser.get(file.as_uri())
    wait_until_drawn(browser, "point-1")
    yield browser
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def wait_until_drawn(browser, id):
    WebDriverWait(browser, 60).until(
        lambda b: b.find_elements(By.CSS_SELECTOR, f"#{id} .flow[data-drawn]")
    )


def slider(browser):
    return browser.find_element(By.CSS_SELECTOR, ".point:not([hidden]) input")


def slide_to(browser, frame):
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    browser.execute_script(script, slider(browser), frame)


def marks(browser, id="point-1"):
    """Positions of neurons by name, and where the cursors are, as bokeh has them."""
    script = """
      const { sources, cursors } = flows.get(arguments[0]);
      const { x, y, name } = sources.neurons.data;
      return [Object.fromEntries(name.map((n, i) => [n, [x[i], y[i]]])),
              cursors.map((cursor) => cursor.location)];
    """
    return browser.execute_script(script, id)


def first_column(browser):
    rows = browser.find_elements(By.CSS_SELECTOR, ".sortable tbody th")
    return [row.text for row in rows]


@pytest.mark.parametrize("frame", [0, 7])
def test_the_slider_moves_neurons_and_cursors_to_what_was_recorded(at_page, relu, frame):
    slide_to(at_page, frame)

    places, cursors = marks(at_page)
    frames = Frames.of(relu)
    at = frames.at[frame]
    own = [j for j in frames.neurons if relu.record["sign"].values[-1][j] > 0]
    recorded = {f"neuron {j + 1}": relu.record["cosine"].values[at, j, :2] for j in own}
    assert set(places) == set(recorded) and len(places) > 2
    for name, place in recorded.items():
        np.testing.assert_allclose(places[name], place, atol=2e-5)
    assert cursors == [pytest.approx(relu.record["time"].values[at])] * 3
    readout = at_page.find_element(By.CSS_SELECTOR, "#point-1 .readout").text
    assert f"{relu.record['loss'].values[at]:.3g}" in readout


def pictures(browser):
    """What is drawn in every panel of the first point."""
    views = "flows.get('point-1').views"
    return browser.execute_script(
        f"return {views}.map(([_, view]) => view.export('png').canvas.toDataURL())"
    )


def test_moved_marks_are_drawn(at_page):
    before = pictures(at_page)

    slide_to(at_page, 9)

    assert len(set(before)) == 5
    WebDriverWait(at_page, 10).until(
        lambda b: all(one != old for one, old in zip(pictures(b), before, strict=True))
    )


def test_the_keyboard_moves_the_slider_and_play_ends_at_the_last_frame(at_page):
    slider(at_page).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert slider(at_page).get_attribute("value") == "2"
    assert "loss" in slider(at_page).get_attribute("aria-valuetext")

    last = int(slider(at_page).get_attribute("max"))
    slide_to(at_page, last - 2)
    at_page.find_element(By.CSS_SELECTOR, "#point-1 .play").click()

    WebDriverWait(at_page, 20).until(lambda b: slider(b).get_attribute("value") == str(last))
    WebDriverWait(at_page, 20).until(
        lambda b: b.find_element(By.CSS_SELECTOR, "#point-1 .play").accessible_name == "play"
    )


def test_three_centers_are_seen_on_a_sphere_from_between_them(at_page):
    # Three orthonormal centers, seen along their sum, are at 120 degrees and distance √(2/3).
    third = at_page.find_elements(By.CSS_SELECTOR, "#point-1 select")[2]
    third.send_keys("μ₃")

    WebDriverWait(at_page, 10).until(lambda b: b.execute_script(
        "return flows.get('point-1').view.isSphere"
    ))  # fmt: skip
    x, y = at_page.execute_script(
        "const { x, y } = flows.get('point-1').sources.marks.data; return [x, y]"
    )
    seen = np.array(x[:3]) + 1j * np.array(y[:3])
    np.testing.assert_allclose(np.abs(seen), np.sqrt(2 / 3), atol=1e-3)
    np.testing.assert_allclose(seen.sum(), 0, atol=1e-3)


def test_nothing_is_loaded(at_page):
    messages = [json.loads(e["message"])["message"] for e in at_page.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages
            if m["method"] == "Network.requestWillBeSent"]  # fmt: skip

    assert {url.partition(":")[0] for url in sent} <= {"file", "data", "about"}
    assert at_page.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_a_click_leads_to_a_point_and_back(at_page):
    at_page.find_element(By.LINK_TEXT, "power = 3").click()
    wait_until_drawn(at_page, "point-2")

    shown = at_page.find_elements(By.CSS_SELECTOR, ".point:not([hidden])")
    assert [point.get_attribute("id") for point in shown] == ["point-2"]
    assert at_page.switch_to.active_element.get_attribute("id") == "point-2"

    at_page.back()
    at_page.find_element(By.LINK_TEXT, "power = 1").click()
    WebDriverWait(at_page, 10).until(lambda b: b.find_element(By.ID, "point-1").is_displayed())


def test_a_head_sorts_the_table_up_and_down(at_page):
    up = ["power = 1", "power = 3", "power = 4"]
    head = at_page.find_element(By.XPATH, "//th[button='point']")
    button = head.find_element(By.TAG_NAME, "button")

    for order, points in (("ascending", up), ("descending", up[::-1]), ("ascending", up)):
        button.send_keys(Keys.ENTER)
        assert (head.get_attribute("aria-sort"), first_column(at_page)) == (order, points)


def test_numbers_sort_as_numbers_and_brackets_by_their_lower_end(at_page):
    head = at_page.find_element(By.XPATH, "//th[button='cosine']")
    rows = "document.querySelector('.sortable tbody').rows"
    for row, text in enumerate(("10", "[0.2, 11] to F", "3e-05")):
        at_page.execute_script(f"{rows}[{row}].cells[2].textContent = '{text}'")

    head.find_element(By.TAG_NAME, "button").click()

    assert first_column(at_page) == ["power = 4", "power = 3", "power = 1"]
    other = at_page.find_element(By.XPATH, "//th[button='point']")
    assert other.get_attribute("aria-sort") == "none"


def test_it_prints_with_open_verdicts_and_pictures_of_panels(at_page):
    judgments = at_page.find_elements(By.CSS_SELECTOR, "#point-1 > .judgment")

    at_page.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert [one.get_attribute("open") for one in judgments] == ["true"] * 3
    drawn = at_page.execute_script(
        "return [...document.querySelectorAll('#point-1 .plot + canvas')].map((c) => c.width)"
    )
    assert len(drawn) == 5 and min(drawn) > 100
    at_page.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert [one.get_attribute("open") for one in judgments] == [None] * 3

    pdf = base64.b64decode(at_page.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 3

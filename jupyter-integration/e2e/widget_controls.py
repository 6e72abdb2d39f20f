"""The controls of the chat widget: panels, scrolling; several views, and a kernel that does not answer."""
from chat_page import answer, button, make, message_input, open_page, part, run, sent, write
from checks import Checks, within
from playwright.sync_api import Browser, Page


def fits(page: Page) -> bool:
    """True if the input is inside of the widget."""
    return run(page, "const bottom = (name) => w.el.querySelector(name).getBoundingClientRect().bottom;"
                     "return bottom('.ullm-chat-composer') <= bottom('.ullm-chat');")


def panels(page: Page, check: Checks) -> None:
    with check("`/` opens the prompts; one without variables goes into the input"):
        make(page)
        message_input(page).press("/")
        assert part(page, "item").all_inner_texts() == ["Hello", "Write a {{form}} about {{topic}}"]
        page.keyboard.press("Enter")
        assert message_input(page).input_value() == "Hello" and part(page, "panel").is_hidden()
    with check("one with variables has a form with a preview; Send is off until all are filled"):
        make(page)
        button(page, "Prompts").click()
        part(page, "item").last.click()
        send = part(page, "panel").get_by_role("button", name="Send")
        page.get_by_label("form", exact=True).fill("haiku")
        assert part(page, "preview").inner_text() == "Write a haiku about topic" and send.is_disabled()
        page.get_by_label("topic", exact=True).fill("{{form}} $& <b>")
        assert part(page, "preview").inner_text() == "Write a haiku about {{form}} $& <b>" and send.is_enabled()
        page.keyboard.press("Enter")
        within(2, lambda: sent(page, "send"))
        assert sent(page, "send")[0]["text"] == "Write a haiku about {{form}} $& <b>" and part(page, "panel").is_hidden()
    with check("Insert puts the filled prompt into the input"):
        make(page, "form")
        page.get_by_label("topic", exact=True).fill("rain")
        button(page, "Insert").click()
        assert message_input(page).input_value() == "Write a haiku about rain" and not sent(page, "send")
    with check("a prompt is added to the text that is there, and one that is sent leaves it there"):
        message_input(page).fill("Draft.")
        button(page, "Prompts").click()
        part(page, "item").first.click()
        assert message_input(page).input_value() == "Draft.\nHello"
        button(page, "Prompts").click()
        part(page, "item").last.click()
        page.get_by_label("form", exact=True).fill("haiku")
        page.get_by_label("topic", exact=True).fill("rain")
        page.keyboard.press("Enter")
        within(2, lambda: sent(page, "send"))
        assert sent(page, "send")[0]["text"] == "Write a haiku about rain" and message_input(page).input_value() == "Draft.\nHello"
    with check("a changed setting is sent alone; an empty field is the default"):
        make(page, "configuration")
        page.get_by_label("Temperature").fill("0.7")
        page.get_by_label("Max tokens").fill("500")
        page.get_by_label("Max tokens").fill("")
        page.get_by_label("Model", exact=True).fill("openai/gpt-4o-mini")
        page.keyboard.press("Tab")
        assert [message["config"] for message in sent(page, "configure")] == [{"temperature": 0.7}, {"model": "openai/gpt-4o-mini"}], sent(page, "configure")
    with check("a value outside of the limits is not sent, and the field says so"):
        page.get_by_label("Top p").fill("3")
        page.keyboard.press("Tab")
        assert len(sent(page, "configure")) == 2 and page.get_by_label("Top p").get_attribute("aria-invalid") == "true"
        assert "Top p" in part(page, "notice").inner_text()
    with check("values between the usual steps are taken"):
        page.get_by_label("Top p").fill("0.92")
        page.get_by_label("Temperature").fill("0.75")
        page.keyboard.press("Tab")
        assert [message["config"] for message in sent(page, "configure")[2:]] == [{"topP": 0.92}, {"temperature": 0.75}]
    with check("help and limits of a setting are shown when it is used"):
        page.get_by_label("Top k").focus()
        assert part(page, "hint").inner_text() == "Top k: The number of likely tokens to choose from. From 1 to 100."
        assert "From 1 to 100" in page.get_by_label("Top k").get_attribute("title")
    with check("the kernel's values come into the open fields, not into the one that is typed in"):
        page.get_by_label("Top k").fill("5")
        run(page, "w.model.update({ config: { ...w.model.state.config, model: 'demo/other', temperature: 0.7, topK: 9 } });")
        assert page.get_by_label("Temperature").input_value() == "0.7" and page.get_by_label("Top k").input_value() == "5"
        assert "demo/other" in part(page, "names").inner_text()
    with check("Esc closes a panel, and the focus goes back to its button"):
        page.keyboard.press("Escape")
        assert part(page, "panel").is_hidden() and run(page, "document.activeElement.title") == "Configuration"
        assert button(page, "Configuration").get_attribute("aria-expanded") == "false"
    with check("controls that the options do not give are not there"):
        make(page, options="{ options: { showConfigurationControls: false, prompts: [], allowAttachments: false } }")
        assert not any(button(page, name).is_visible() for name in ("Configuration", "Prompts", "Attach files", "Export"))


def scrolling(page: Page, check: Checks) -> None:
    lines = "'line\\n'.repeat(80)"
    end = "const log = w.el.querySelector('.ullm-chat-log'); return log.scrollHeight - log.clientHeight - log.scrollTop;"
    with check("the view follows a growing answer"):
        make(page, "streaming")
        run(page, f"k.delta({lines});")
        within(2, lambda: "line" in answer(page) and run(page, end) <= 1)
        assert part(page, "jump").is_hidden()
    with check("it stops when one scrolls up, also by a little, and offers the way back"):
        part(page, "log").hover()
        page.mouse.wheel(0, -30)
        within(2, lambda: part(page, "jump").is_visible())
        top = run(page, "w.el.querySelector('.ullm-chat-log').scrollTop")
        run(page, f"k.delta({lines});")
        page.wait_for_timeout(200)
        assert run(page, "w.el.querySelector('.ullm-chat-log').scrollTop") == top
    with check("it does not follow again before one is at the end"):
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(100)
        page.mouse.wheel(0, 200)
        page.wait_for_timeout(100)
        run(page, f"k.delta({lines});")
        page.wait_for_timeout(150)
        assert part(page, "jump").is_visible() and run(page, end) > 100
    with check("Jump to end goes there and follows again"):
        part(page, "jump").click()
        assert run(page, end) <= 1
        run(page, f"k.delta({lines});")
        page.wait_for_timeout(200)
        assert run(page, end) <= 1 and part(page, "jump").is_hidden()
    with check("a cell that was out of the page comes back at the end of the conversation"):
        run(page, "w.parent = w.el.parentNode; w.el.remove(); w.parent.append(w.el);")
        assert run(page, end) > 100
        within(2, lambda: run(page, end) <= 1)
    with check("a row that is opened does not jump to the end; closed again, the view follows"):
        make(page, "thinking")
        run(page, f"k.delta({lines}, null, 'reasoning'); k.delta('The sky'); k.end();")
        within(2, lambda: part(page, "jump").is_hidden() and run(page, end) <= 1)
        part(page, "reasoning").locator("summary").click()
        within(2, lambda: part(page, "jump").is_visible())
        page.wait_for_timeout(700)      # the widget looks after its place every 500 ms
        assert run(page, end) > 300
        part(page, "reasoning").locator("summary").click()
        within(2, lambda: part(page, "jump").is_hidden() and run(page, end) <= 1)
    with check("the wheel goes on to the page at the end of the conversation"):
        assert run(page, "getComputedStyle(w.el.querySelector('.ullm-chat-log')).overscrollBehaviorY") == "auto"
    with check("maxHeight limits the messages, and the input stays"):
        for height in (320, 60):
            make(page, "streaming", f"{{ options: {{ maxHeight: {height} }} }}")
            run(page, f"k.delta({lines});")
            page.wait_for_timeout(100)
            assert part(page, "log").bounding_box()["height"] == height
            assert fits(page)
    with check("the input stays also in a low window with an open panel"):
        page.set_viewport_size({"width": 900, "height": 300})
        make(page, "configuration")
        assert fits(page)
        page.set_viewport_size({"width": 900, "height": 760})


def views(page: Page, check: Checks) -> None:
    with check("two views of one model show the same answer while it grows"):
        make(page)
        run(page, "w.second = w.open(); w.second.el.id = 'second';")
        write_into = page.locator("main > div").first.get_by_label("Message", exact=True)
        write_into.fill("Hello")
        write_into.press("Enter")
        within(2, lambda: sent(page, "send"))
        run(page, "k.delta('grow'); k.delta('ing');")
        within(2, lambda: [it.text_content() for it in part(page, "plain").all()].count("growing") == 2)
        assert page.locator("#second .ullm-chat-stop").is_visible() and page.locator("#second textarea").input_value() == ""
    with check("a view that opens in the middle asks for the state and goes on from there"):
        run(page, "w.third = w.open(); w.third.el.id = 'third';")
        within(2, lambda: page.locator("#third .ullm-chat-assistant .ullm-chat-body").text_content() == "growing")
        assert len(sent(page, "refresh")) == 1
        run(page, "k.delta('!');")
        within(2, lambda: page.locator("#third .ullm-chat-assistant .ullm-chat-body").text_content() == "growing!")
        run(page, "k.end();")
        assert page.locator(".ullm-chat-stop:visible").count() == 0
    with check("a closed view listens and asks no more"):
        run(page, "const remove = window.removeEventListener; w.removed = []; w.second.close();"
                  "window.removeEventListener = (...all) => [w.removed.push(all[0]), remove.apply(window, all)];"
                  "w.third.close(); window.removeEventListener = remove;")
        assert run(page, "w.removed") == ["keydown"]
        assert run(page, "w.model.listeners.size") == 2 and page.locator(".ullm-chat").count() == 1
        run(page, "w.close();")
        count = len(run(page, "w.model.sent"))
        page.wait_for_timeout(600)
        assert run(page, "w.model.listeners.size") == 0 and len(run(page, "w.model.sent")) == count
    with check("a new page shows the conversation from the state"):
        run(page, "w.again = w.open();")
        assert part(page, "user").inner_text().startswith("Hello") and "growing!" in part(page, "assistant").inner_text()
        run(page, "w.again.close();")
    with check("two widgets do not mix"):
        make(page)
        run(page, "w.other = make();")
        turn_in = page.locator("main > div").nth(1).get_by_label("Message", exact=True)
        turn_in.fill("for the other")
        turn_in.press("Enter")
        within(2, lambda: run(page, "w.other.model.sent.some((it) => it.type === 'send')"))
        assert not sent(page, "send") and page.locator("main > div").first.locator(".ullm-chat-user").count() == 0
        run(page, "w.other.close();")
    with check("a state of another version is not shown"):
        make(page, options="{ protocol: 2 }")
        assert "another version" in part(page, "banner").inner_text() and message_input(page).is_disabled()
    with check("a disabled widget can be read, not used"):
        make(page, "done")
        run(page, "w.model.update({ options: { ...w.model.state.options, disabled: true } });")
        assert message_input(page).is_disabled() and part(page, "assistant").is_visible() and button(page, "Copy message").last.is_visible()
        assert not any(it.is_visible() for it in part(page, "change").all())


def kernel(browser: Browser, check: Checks) -> None:
    page = open_page(browser)
    page.clock.install()

    def fresh(script: str = "") -> None:
        make(page)
        page.clock.run_for(5_000)
        run(page, f"{script};")

    def banner_within(seconds: int, text: str) -> None:
        for _ in range(seconds * 2):
            if text in part(page, "banner").inner_text():
                return
            page.clock.run_for(500)
        raise AssertionError(f"{part(page, 'banner').inner_text()!r} after {seconds} s")

    with check("a kernel that answers is not called gone"):
        fresh()
        page.clock.run_for(60_000)
        assert part(page, "banner").inner_text() == "" and len(sent(page, "ping")) >= 14 and not sent(page, "refresh")
    with check("a kernel that is gone: said within 10 s"):
        fresh("k.isAlive = false")
        banner_within(10, "The kernel does not answer")
    with check("then it is asked once a minute, and its first answer takes the words away and brings the state"):
        # Not more: the pings wait in the kernel while a cell runs. Not fewer: if two are lost, nobody would ask again.
        before = len(sent(page, "ping"))
        page.clock.run_for(600_000)
        assert 9 <= len(sent(page, "ping")) - before <= 11
        run(page, "k.isAlive = true;")
        assert "does not answer" in part(page, "banner").inner_text() and not sent(page, "refresh")
        page.clock.run_for(60_500)
        assert part(page, "banner").inner_text() == "" and len(sent(page, "refresh")) == 1
    with check("a kernel whose cell runs is called busy, not gone"):
        fresh("k.isAlive = false; w.timer = setInterval(() => k.post('alive', { busy: true }), 3000)")
        banner_within(10, "A cell is running")
        page.clock.run_for(60_000)
        assert "A cell is running" in part(page, "banner").inner_text() and message_input(page).is_enabled()
        write(page, "later")
        page.clock.run_for(1_000)
        assert part(page, "phase").inner_text().startswith("waiting for the running cell")
        run(page, "clearInterval(w.timer); k.isAlive = true; k.post('pong', { n: 2 });")
        assert part(page, "banner").inner_text() == ""
    with check("JupyterLab knows that the kernel was restarted: said at once, and the unsent text comes back"):
        fresh("k.isAlive = false")
        write(page, "unsent")
        run(page, "w.el.classList.add('jupyter-widgets-disconnected');")
        banner_within(1, "stopped or restarted. Run this cell again")
        assert message_input(page).input_value() == "unsent" and message_input(page).is_disabled() and button(page, "Stop (Esc)").is_hidden()
    with check("with JupyterLab's kernel status: busy is busy, idle without an answer is gone"):
        fresh("k.isAlive = false; w.model.widget_manager = { kernel: { status: 'busy' } }")
        banner_within(10, "A cell is running")
        run(page, "w.model.widget_manager.kernel.status = 'idle';")
        banner_within(1, "stopped or restarted. Run")
    with check("a closed comm: the text comes back"):
        fresh("w.model.send = () => { throw new Error('comm is closed'); }")
        write(page, "unsent")
        page.clock.run_for(100)
        assert message_input(page).input_value() == "unsent"
    page.close()

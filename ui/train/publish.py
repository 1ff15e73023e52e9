"""A trained model → the Hugging Face Hub, by `python -m finetune publish`; never shows a token."""

import re
import subprocess
import sys

import streamlit as st

from comment_toxicity.errors import PublishError
from finetune.checkout import ROOT
from ui.messages import off_on_public_server, show_error
from ui.settings import PUBLIC, PageSettings
from ui.text import in_markdown

ACCESS = "hub access"
SECONDS = 900


def show_publishing(model: str) -> None:
    """Offer to push a model to the Hub; show whose token is here, or what is missing."""
    with st.expander("Publish to the Hugging Face Hub"):
        if PageSettings.read().public:  # the token is not the visitor's
            st.write(
                f"{off_on_public_server('Publishing is', PUBLIC, 0)} This command publishes it too:"
            )
            st.code(f"python -m finetune publish {model} --to hub:owner/name", language="bash")
            return
        if st.button("Check the Hub token"):
            from finetune.publish.hub import hub_access

            with st.spinner("Checking with the Hub …"):
                st.session_state[ACCESS] = hub_access()
        access = st.session_state.get(ACCESS)
        if access is None:
            st.caption("Publishing needs a Hub token with write permission on this server.")
            return
        if not access.may_write:
            st.warning(in_markdown(access.problem))
            return
        st.write(
            f"The token on this server belongs to **{in_markdown(access.user)}** and can write."
        )
        with st.form("publish", border=False):
            target = f"{access.user}/{model.rsplit('/', 1)[-1]}"
            target = st.text_input(
                "Push to", target, help="owner/name; created if it does not exist."
            )
            private = st.checkbox("Private", value=True)
            pressed = st.form_submit_button("Push to the Hub", icon=":material/upload:")
        if pressed:
            try:
                with st.spinner(f"Pushing to {in_markdown(target)} …"):
                    printed = push(model, target.strip(), private)
            except PublishError as error:
                show_error(error)
                return
            st.success(in_markdown(f"Published as {target.strip()}."))
            st.code(printed, language=None)


def push(model: str, target: str, private: bool) -> str:
    """Publish. Returns what the command printed. Raises PublishError with its sentence."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", target):
        raise PublishError(f"{target!r} is not a valid Hub id; type owner/name.")
    visibility = "--private" if private else "--no-private"
    command = [sys.executable, "-m", "finetune", "publish", model, "--to", f"hub:{target}"]
    try:
        process = subprocess.run(
            [*command, visibility],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PublishError(
            f"{target}: not done after {SECONDS // 60} minutes; check the network and try again."
        ) from None
    if process.returncode:
        lines = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
        reason = lines[-1].removeprefix("error: ") if lines else "the command failed."
        raise PublishError(reason)
    return process.stdout.strip()

"""Whether a base model can be had: a local folder, a repository of the model hub, a package."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import PretrainedBase, Scale
from lawcheck.pipeline.doctor.check import Check
from lawcheck.planning.shipped import RECORD, build_command

SECONDS = 10
FILES = ("config.json", "tokenizer.json")


def model(name: str, base: PretrainedBase) -> Check:
    """Nothing is downloaded. The token is only said to be there or not."""
    label = f"base model {name}"
    folder = Path(base.model).expanduser()
    if folder.is_dir():
        lost = [f for f in FILES if not (folder / f).is_file()]
        if not any(folder.glob("*.safetensors")):
            lost.append("*.safetensors")
        found = f"local folder {base.model}" + (f" without {', '.join(lost)}" if lost else "")
        return Check(label, not lost, found, "complete the folder")
    if importlib.util.find_spec("huggingface_hub") is None:
        return Check(label, None, "huggingface_hub is not installed", "install it, then repeat")
    from huggingface_hub import HfApi, constants, get_token, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if constants.HF_HUB_OFFLINE:
        try:
            snapshot_download(base.model, revision=base.revision, local_files_only=True)
        except LocalEntryNotFoundError:
            step = "stage it where the hub can be reached, or unset HF_HUB_OFFLINE"
            found = f"{base.model} is not in the local cache, and HF_HUB_OFFLINE is set"
            return Check(label, False, found, step)
        return Check(label, True, f"{base.model} from the local cache (HF_HUB_OFFLINE is set)")
    token = "with a token" if get_token() else "without a token"
    try:
        info = HfApi().model_info(base.model, revision=base.revision, timeout=SECONDS)
        if getattr(info, "gated", False):
            HfApi().auth_check(base.model)
    except GatedRepoError:
        step = "ask for access on its page, then: hf auth login, or set HF_TOKEN"
        return Check(label, False, f"{base.model} is gated and was refused {token}", step)
    except RevisionNotFoundError:
        found = f"{base.model} has no revision {base.revision}"
        return Check(label, False, found, "correct the scale")
    except RepositoryNotFoundError:
        step = "correct the scale, or log in: hf auth login"
        return Check(label, False, f"{base.model} was not found {token}", step)
    except (HfHubHTTPError, _transport_error(), OfflineModeIsEnabled, OSError) as error:
        step = "check the network, or stage the model and name its folder in the scale"
        found = f"{base.model}: no answer from the hub ({type(error).__name__})"
        return Check(label, False, found, step)
    return Check(label, True, f"{base.model} at {str(info.sha)[:12]}, {token}")


def package(scale: Scale, name: str, layout: Layout) -> Check:
    """Whether a base that a package carries is converted; pip's index is not asked."""
    label, folder = f"base model {name}", layout.base(name, None)
    if (folder / RECORD).is_file():
        return Check(label, True, f"converted, in {folder}")
    step = f"run: {build_command(scale, name, None)} --results {layout.results}"
    lost = [m for m in ("gguf", "pip") if importlib.util.find_spec(m) is None]
    if lost:
        return Check(label, False, f"not converted yet, and {lost[0]} is not installed", step)
    return Check(label, None, "not converted yet", f"where pip reaches its index, {step}")


def _transport_error() -> type[Exception]:
    """What the hub's client raises where a connection fails: its HTTP library has two names."""
    from huggingface_hub import get_session

    library = importlib.import_module(type(get_session()).__module__.partition(".")[0])
    return library.HTTPError  # type: ignore[no-any-return]

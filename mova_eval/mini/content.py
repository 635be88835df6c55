"""What the mini benchmark asks for: 24 items in 7 categories, all texts made for this project (CC0)."""

from __future__ import annotations

from dataclasses import dataclass

L, P, S = (1280, 720), (720, 1280), (1280, 1280)


@dataclass(frozen=True)
class Entry:
    """One item. `frame`: width and height of its first frame; `speech`: (speaker, text) turns; `raw_audio`: the list
    of sound prompts as a published record would hold it, where that differs from `audio`."""

    id: str
    category: str
    frame: tuple[int, int]
    prompt: str
    video: str
    audio: tuple[str, ...] = ()
    speech: tuple[tuple[str, str], ...] = ()
    onsets: tuple[float, ...] | None = None
    flags: tuple[str, ...] = ()
    raw_audio: tuple[str, ...] | None = None


_LONG = (
    "When the storm finally passed, we walked down to the harbour, counted every boat that was still afloat, wrote "
    "the names on a wet piece of paper, and sent the list to the families who were waiting inside."
)

_SPEECH = (
    Entry(
        "m01", "speech-en", L,
        "A young woman with shoulder-length brown hair and a blue shirt stands before a grey wall with a small "
        "framed picture on it and looks into the camera. In a calm, clear voice she says, “The train leaves at "
        "nine, so we still have time.” The room is otherwise silent.",
        "A young woman with shoulder-length brown hair and a blue shirt faces the camera before a grey wall and "
        "speaks; her lips move with each word, her head moves slightly. Static camera, soft light from the left.",
        speech=(("woman", "The train leaves at nine, so we still have time."),),
    ),
    Entry(
        "m02", "speech-en", P,
        "A man with short dark hair and a dark red shirt stands in a quiet room, seen upright from the chest up. "
        "He looks straight ahead and asks, “I left 3 keys on the table; did you see them?” Only the faint tone of "
        "the room is heard behind his voice.",
        "Portrait shot of a man with short dark hair and a dark red shirt before a plain wall; he speaks to the "
        "camera and blinks once. Static camera.",
        audio=("quiet room",),
        speech=(("man", "I left 3 keys on the table; did you see them?"),),
        flags=("digits-in-speech",),
    ),
    Entry(
        "m03", "speech-en", L,
        "A woman with black hair and a mustard shirt stands beside a window on which rain runs down. She raises "
        "her brows and says, “It’s Anna’s turn, isn’t it?” while rain patters on the pane.",
        "A woman with black hair and a mustard shirt beside a rainy window speaks to the camera; drops cover the "
        "glass behind her. Static camera, cool light.",
        audio=("rain on a window",),
        speech=(("woman", "It’s Anna’s turn, isn’t it?"),),
    ),
    Entry(
        "m04", "speech-en", L,
        "Seen from some distance, a fair-haired man in a green shirt stands in the middle of a bare room and tells "
        f"a story without a pause: “{_LONG}” His voice is even and close.",
        "A fair-haired man in a green shirt stands far from the camera in a bare room and talks for a long time; "
        "the camera does not move.",
        speech=(("man", _LONG),),
        flags=("long-speech",),
    ),
    Entry(
        "m05", "speech-zh", L,
        "A woman with long black hair and a purple shirt faces the camera in a softly lit room. She says in a "
        "friendly voice, “明天早上八点，我们在车站见面。” Nothing else is heard.",
        "A woman with long black hair and a purple shirt speaks to the camera in a softly lit room. Static camera.",
        speech=(("女", "明天早上八点，我们在车站见面。"),),
    ),
    Entry(
        "m06", "speech-zh", P,
        "A man with short hair and a slate-coloured shirt is seen upright in a still room. He nods to the camera "
        "and says, “这个房间很安静，可以开始录音了。” The room around him is quiet.",
        "Portrait shot of a man with short hair and a slate-coloured shirt who speaks to the camera in a still room.",
        audio=("quiet room",),
        speech=(("男", "这个房间很安静，可以开始录音了。"),),
    ),
    Entry(
        "m07", "speech-zh", L,
        "A woman with brown hair and a blue shirt looks up from her work into the camera and says, “请把 Python "
        "的版本升级到最新。” Somebody types on a keyboard close by.",
        "A woman with brown hair and a blue shirt in an office looks into the camera and speaks. Static camera.",
        audio=("typing on a keyboard",),
        speech=(("女", "请把 Python 的版本升级到最新。"),),
        flags=("mixed-script",),
    ),
    Entry(
        "m08", "speech-zh", L,
        "Low waves run up a sandy beach in the evening and draw back, the sun stands just above the horizon. A "
        "narrator who is never seen says slowly, “海浪慢慢地退回去了。” over the sound of the waves. Nobody is in "
        "the picture.",
        "A sandy beach in the evening; low waves come and go, sunlight glitters on the water. No people, static "
        "camera.",
        audio=("waves on a beach",),
        speech=(("旁白", "海浪慢慢地退回去了。"),),
        flags=("no-face",),
    ),
    Entry(
        "m09", "two-speaker", L,
        "Two people stand side by side and look towards the camera. The woman on the left, with black hair and a "
        "purple shirt, asks, “Did you hear that?” The man on the right, with short hair and a slate-coloured "
        "shirt, answers, “Yes, it came from the garden.”",
        "A woman on the left and a man on the right stand before a grey wall; first she speaks, then he answers. "
        "Static camera.",
        speech=(("S01", "Did you hear that?"), ("S02", "Yes, it came from the garden.")),
    ),
    Entry(
        "m10", "two-speaker", L,
        "Two people stand side by side in a bright room. The woman on the left asks, “你吃过饭了吗?” The man on "
        "the right answers, “还没有,一起去吧。”",
        "A woman on the left and a man on the right in a bright room; she speaks first, he answers. Static camera.",
        speech=(("S01", "你吃过饭了吗?"), ("S02", "还没有,一起去吧。")),
    ),
    Entry(
        "m11", "two-speaker", L,
        "Two people wait side by side. The woman on the left asks, “Ready?” The man on the right says, “Almost.” "
        "After a short pause the woman decides, “Then we go now.”",
        "A woman on the left and a man on the right before a wall; she speaks, he speaks, then she speaks again.",
        speech=(("S01", "Ready?"), ("S02", "Almost."), ("S01", "Then we go now.")),
    ),
    Entry(
        "m12", "two-speaker", L,
        "Three people stand in a row. The woman on the left asks, “谁先来？” The man in the middle says, “我来。” "
        "The woman on the right adds, “我最后吧。”",
        "Three people in a row before a wall speak one after another, from left to right. Static camera.",
        speech=(("S01", "谁先来？"), ("S02", "我来。"), ("S03", "我最后吧。")),
    ),
)  # fmt: skip

_SOUNDS = (
    Entry(
        "m13", "effect", L,
        "A red rubber ball falls onto a wooden table and bounces, a little lower each time, until it rests. Each "
        "of the four hits makes a short, hollow knock. No voices, no music.",
        "A red rubber ball with a pale band bounces four times on a wooden table before a grey wall. Static camera.",
        audio=("a ball bounces on wood, four times",),
        onsets=(1.0, 2.2, 3.2, 4.0),
    ),
    Entry(
        "m14", "effect", L,
        "A hammer drives a nail into a block of wood with three unhurried strokes; at each stroke the nail sinks "
        "deeper and the steel rings out briefly.",
        "Close view of a hammer that hits a nail in a wooden block three times. Static camera, plain wall behind.",
        audio=("a hammer hits a nail, three times",),
        onsets=(1.0, 2.5, 4.0),
    ),
    Entry(
        "m15", "effect", S,
        "A drinking glass slides off the edge of a wooden shelf, falls and shatters on a stone floor. Splinters "
        "scatter and ring as they land, then it is still.",
        "A glass tips over the edge of a shelf, falls and breaks into many splinters on a stone floor. Square "
        "picture, static camera.",
        audio=("a glass falls and shatters",),
        onsets=(2.0,),
    ),
    Entry(
        "m16", "effect", P,
        "Dark clouds hang over hills at night. Lightning strikes and lights up the clouds for a moment; almost a "
        "second later a thunderclap breaks and rolls away.",
        "Night sky over dark hills, portrait format; one bolt of lightning strikes, the clouds glow and go dark again.",
        audio=("a thunderclap after a flash of lightning",),
        onsets=(1.0,),
        flags=("sound-after-sight",),
    ),
    Entry(
        "m17", "music", L,
        "Piano keys seen from above. Unseen fingers press single keys, one after another, and a slow, simple "
        "melody sounds from the solo piano.",
        "Piano keyboard from above; single white keys go down slowly, one after another. Static camera.",
        audio=("slow solo piano",),
    ),
    Entry(
        "m18", "music", L,
        "A wooden metronome stands on a table. Its bar swings evenly from side to side and ticks at 120 beats a "
        "minute.",
        "A wooden metronome on a table before a grey wall, its bar swings evenly. Static camera.",
        audio=("a metronome at 120 beats a minute",),
        onsets=(0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5),
    ),
    Entry(
        "m19", "music", P,
        "On a street stage two hands beat a wooden hand drum in a steady rhythm, left and right in turn. Behind it "
        "a crowd murmurs in the evening light.",
        "Portrait shot of two hands on a hand drum with ropes; blurred people stand behind. Static camera.",
        audio=("steady hand drum", "a crowd murmurs"),
    ),
    Entry(
        "m20", "ambience", L,
        "Seen from indoors, rain runs down the panes of a window; the garden outside is a green blur. The rain "
        "patters steadily on the glass.",
        "Raindrops run down a window pane, a blurred garden behind. Static camera.",
        audio=("steady rain",),
    ),
    Entry(
        "m21", "ambience", L,
        "A campfire burns between stones at the edge of a forest at night. The fire crackles, sparks rise, "
        "crickets chirp in the dark.",
        "A campfire between stones at night, flames flicker, sparks rise, dark trees behind. Static camera.",
        audio=("crackling fire", "crickets"),
    ),
    Entry(
        "m22", "ambience", L,
        "A city street at dusk, seen from far away: a few small cars pass before houses with lit windows. The "
        "traffic is heard only as a distant, soft hum.",
        "Distant view of a street at dusk with a few slow cars, street lamps and lit windows. Static camera.",
        audio=("distant traffic",),
    ),
    Entry(
        "m23", "silent", L,
        "A chess board with a few white and black pieces stands on a dark table in still light. Nothing moves and "
        "nothing is to be heard.",
        "A chess board with a few pieces on a dark wooden table; only the light changes, barely. Static camera.",
    ),
    Entry(
        "m24", "silent", L,
        "A wide snow field under a grey sky with a single fir tree; a few flakes sink slowly. It is quiet. No "
        "specific ambient sounds mentioned.",
        "A snow field with one fir tree under a grey sky, a few flakes sink slowly. Static camera.",
        flags=("blank-audio-prompt", "quiet-sentence"),
        raw_audio=("",),
    ),
)  # fmt: skip

ENTRIES: tuple[Entry, ...] = _SPEECH + _SOUNDS
"""All items in benchmark order."""

CATEGORIES: tuple[tuple[str, str], ...] = (
    ("speech-en", "English speech"),
    ("speech-zh", "Chinese speech"),
    ("two-speaker", "Dialogues"),
    ("effect", "Sound effects"),
    ("music", "Music"),
    ("ambience", "Ambience"),
    ("silent", "Silence asked for"),
)
SMOKE: tuple[str, ...] = ("m01", "m05", "m09", "m13", "m20", "m23")
"""A subset that meets every kind of item, for a first run."""

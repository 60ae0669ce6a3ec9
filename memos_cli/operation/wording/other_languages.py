# ruff: noqa: E501  (a pattern and its questions are read side by side)
"""Questions in Chinese, German, French and Spanish: a few sentence patterns, and a general way for the rest. Pure.

Far less than for English: "X heißt Y", "X的Y是Z" and the like. What matches none of them is asked for under its
heading or first words, with the sentence as the answer.
"""

from __future__ import annotations

import re
from typing import Literal

from memos_cli.operation.wording.drafts import Draft, leaks
from memos_cli.operation.wording.facts import Sentence
from memos_cli.operation.wording.lists import word_set

Language = Literal["en", "zh", "de", "fr", "es", "ja", "other"]

_STOP_WORDS: dict[Language, frozenset[str]] = {
    "en": word_set(
    """the is are was and of to in my a an on at for with it i has have he she they his her from by not
    that will"""
),
    "de": word_set(
    """der die das ist sind war und nicht mit ein eine einen im am mein meine heißt von zu auf für ich wir
    er sie den dem des um jeden wohnt unser unsere bei arbeitet liegt steht hat haben mag trinkt isst
    beginnt endet"""
),
    "fr": word_set(
    """le la les est sont et des une un mon ma mes dans du de je nous il elle pour avec sur au aux ne pas
    s'appelle chez notre habite travaille aime préfère"""
),
    "es": word_set(
    """el la los las es son y un una mi mis en de del yo nosotros él ella para con por se llama no está
    vive nuestro nuestra al"""
),
}  # fmt: skip


def language_of(text: str) -> Language:
    """The language of a text, by its script and its commonest words; English where nothing tells."""
    if re.search(r"[\u3040-\u30ff]", text):
        return "ja"
    han = len(re.findall(r"[\u3400-\u9fff]", text))
    if han and han * 3 >= len(re.findall(r"[A-Za-z]+", text)):
        return "zh"
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower().replace("’", "'"))
    if not words:
        return "en"
    letters = re.findall(r"[^\W\d_]", text)
    if sum(ord(letter) > 0x24F for letter in letters) * 2 > len(letters):
        return "other"
    scores = {language: sum(word in known for word in words) for language, known in _STOP_WORDS.items()}
    scores["de"] += len(re.findall(r"[äöüß]", text.lower()))
    scores["es"] += len(re.findall(r"[ñ¿¡]", text.lower())) * 2
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] > scores["en"] else "en"


_GENERAL: dict[Language, tuple[str, ...]] = {
    "zh": ("关于{}，你知道什么？", "请告诉我{}的情况。", "关于{}，我记了什么？", "你还记得{}的事吗？", "{}是怎么回事？", "说说{}。"),
    "ja": ("{}について何を知っていますか？", "{}について教えてください。", "{}のことを覚えていますか？", "{}について何をメモしましたか？"),
    "de": ("Was weißt du über {}?", "Was habe ich über {} notiert?", "Was steht in der Notiz über {}?", "Erzähl mir etwas über {}.", "Woran soll ich bei {} denken?", "Was muss ich über {} wissen?"),
    "fr": ("Que sais-tu sur {} ?", "Qu'est-ce que j'ai noté sur {} ?", "Que dit la note sur {} ?", "Parle-moi de {}.", "Que faut-il savoir sur {} ?", "Te souviens-tu de {} ?"),
    "es": ("¿Qué sabes sobre {}?", "¿Qué anoté sobre {}?", "¿Qué dice la nota sobre {}?", "Háblame de {}.", "¿Qué debo saber sobre {}?", "¿Recuerdas algo de {}?"),
    "other": ("What do you know about {}?", "Tell me about {}.", "What did I note about {}?", "What does the note on {} say?"),
}  # fmt: skip

# A pattern, what answers, and how one asks. Named groups stand in the questions.
_PATTERNS: dict[Language, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "zh": (
        (r"(?P<x>[^，,：:]{1,20}?)(?:的名字)?(?:叫做|名叫|叫)(?P<c>[^，,的]{1,20})", "c",
         ("{x}叫什么名字？", "{x}叫什么？", "{x}的名字是什么？", "你知道{x}叫什么名字吗？", "告诉我{x}的名字。", "你还记得{x}叫什么吗？", "请问{x}叫什么名字？")),
        (r"(?P<x>[^，,：:]{1,20})的(?P<a>生日|日期|时间|截止日期|到期日|开始时间|会议时间)是(?P<c>[^，,]{1,25})", "c",
         ("{x}的{a}是什么时候？", "{x}的{a}是哪一天？", "你知道{x}的{a}吗？", "告诉我{x}的{a}。", "你还记得{x}的{a}是什么时候吗？", "请问{x}的{a}是几号？")),
        (r"(?P<x>[^，,：:]{1,20})的(?P<a>[^，,是的]{0,6}(?:电话|手机号|号码|密码|端口|端口号|价格|年龄|身高|体重|预算|房租|温度|数量|版本))是(?P<c>[^，,]{1,25})", "c",
         ("{x}的{a}是多少？", "{x}的{a}是什么？", "你知道{x}的{a}吗？", "告诉我{x}的{a}。", "你还记得{x}的{a}是多少吗？", "请问{x}的{a}是多少？", "我忘了{x}的{a}。")),
        (r"(?P<x>[^，,：:]{1,20})的(?P<a>[^，,是的]{0,6}(?:医生|老师|经理|负责人|作者|老板|主人|朋友|妈妈|爸爸|姐姐|哥哥|妻子|丈夫|教练|主席|牙医|维护者))是(?P<c>[^，,]{1,25})", "c",
         ("{x}的{a}是谁？", "谁是{x}的{a}？", "你知道{x}的{a}是谁吗？", "告诉我{x}的{a}是谁。", "{x}的{a}叫什么名字？", "你还记得{x}的{a}是谁吗？")),
        (r"(?P<x>[^，,：:]{1,20})的(?P<a>[^，,是的]{1,10})是(?P<c>[^，,]{1,30})", "c",
         ("{x}的{a}是什么？", "你知道{x}的{a}是什么吗？", "告诉我{x}的{a}。", "{x}有什么样的{a}？", "你还记得{x}的{a}吗？", "请问{x}的{a}是什么？", "我忘了{x}的{a}是什么。")),
        (r"(?P<x>[^，,：:]{1,16}?)对(?P<c>[^，,]{1,12})过敏", "c", ("{x}对什么过敏？", "{x}的过敏原是什么？", "{x}不能吃什么？", "你知道{x}对什么过敏吗？", "什么东西会让{x}过敏？")),
        (r"(?P<x>[^，,：:]{1,16}?)(?:住在|居住在)(?P<c>[^，,]{1,20})", "c", ("{x}住在哪里？", "{x}住在哪儿？", "{x}的家在哪里？", "你知道{x}住在哪里吗？", "告诉我{x}住在哪里。", "{x}住哪个地方？")),
        (r"(?P<x>[^，,：:]{1,16}?)在(?P<c>[^，,]{1,20}?)(?P<v>工作|上班|上学|读书|学习)", "c", ("{x}在哪里{v}？", "{x}在哪儿{v}？", "{x}在什么地方{v}？", "你知道{x}在哪里{v}吗？", "告诉我{x}在哪里{v}。")),
        (r"(?P<x>[^，,：:]{1,20}?)(?P<v>放|存|藏|保存|停|挂)在(?P<c>[^，,]{1,24})", "c", ("{x}{v}在哪里？", "{x}在哪儿？", "我把{x}{v}在哪里了？", "在哪里可以找到{x}？", "你知道{x}在哪里吗？", "你还记得{x}{v}在哪里吗？")),
        (r"(?P<x>[^，,：:]{1,16}?)(?P<l>最?喜欢|爱|讨厌|不喜欢)(?P<v>吃|喝|看|听|玩|读|穿|用|去)(?P<c>[^，,]{1,20})", "c", ("{x}{l}{v}什么？", "你知道{x}{l}{v}什么吗？", "{x}{l}{v}的是什么？", "告诉我{x}{l}{v}什么。", "你还记得{x}{l}{v}什么吗？")),
        (r"(?P<x>[^，,：:]{1,16}?)(?P<l>最?喜欢|讨厌|不喜欢|想要|需要)(?P<c>[^，,]{1,20})", "c", ("{x}{l}什么？", "你知道{x}{l}什么吗？", "{x}{l}的是什么？", "告诉我{x}{l}什么。", "你还记得{x}{l}什么吗？")),
        (r"(?P<x>[^，,：:]{1,16}?)有(?P<c>[\d一二两三四五六七八九十百]+)(?P<m>[个只条位辆本台把张间块])(?P<y>[^，,]{1,12})", "c", ("{x}有几{m}{y}？", "{x}有多少{y}？", "你知道{x}有几{m}{y}吗？", "{x}的{y}有几{m}？", "告诉我{x}有多少{y}。")),
        (r"(?P<x>[^，,：:在]{1,16}?)在?(?P<c>每[^，,的]{1,10}?|周[一二三四五六日天](?:[早晚上中下]\S{1,4}?)?|星期[一二三四五六日天]|\d+月\d+日)(?P<v>运行|开会|举行|开始|结束|出发|到期|关门|开门|上课|更新|执行|打扫|游泳|见面)", "c",
         ("{x}什么时候{v}？", "{x}哪天{v}？", "你知道{x}什么时候{v}吗？", "告诉我{x}什么时候{v}。", "请问{x}什么时候{v}？")),
        (r"(?P<x>[^，,：:]{1,20}?)(?:是)?由(?P<c>[^，,]{1,12}?)(?P<v>负责|维护|写|设计|建|管理|创建|翻译)的?", "c", ("谁{v}{x}？", "{x}是谁{v}的？", "{x}由谁{v}？", "你知道{x}由谁{v}吗？", "告诉我谁{v}{x}。")),
        (r"(?P<c>[^，,：:]{1,10}?)负责(?P<x>[^，,]{1,20})", "c", ("谁负责{x}？", "{x}由谁负责？", "{x}的负责人是谁？", "你知道谁负责{x}吗？", "告诉我谁负责{x}。")),
        (r"(?P<x>[^，,：:]{1,20}?)(?:位于|在)(?P<c>[^，,]{1,20}?(?:里|上|下|边|面|旁|旁边|后面|前面|楼|层|室|柜|箱|盒|市|路|街|国|抽屉|厨房|客厅|卧室|车库|花园|院子|办公室))", "c",
         ("{x}在哪里？", "{x}在哪儿？", "在哪里可以找到{x}？", "你知道{x}在哪里吗？", "告诉我{x}在哪里。", "{x}在什么地方？")),
        (r"(?P<x>[^，,：:的]{1,12}?)(?P<v>提出|介绍|公布|讨论|决定|通过|同意|要求|宣布|建议|批准|计划|购买|参加|完成|发现|养了|买了|学了|写了|画了|弹了)了?(?P<c>[^，,：:]{2,40})", "c",
         ("{x}{v}了什么？", "你知道{x}{v}了什么吗？", "{x}{v}的是什么？", "告诉我{x}{v}了什么。", "你还记得{x}{v}了什么吗？")),
        (r"(?P<x>[^，,：:]{1,16}?)是(?P<c>[^，,]{2,24})", "c", ("{x}是什么？", "{x}是什么样的？", "你知道{x}是什么吗？", "告诉我{x}是什么。", "介绍一下{x}。")),
    ),
    "de": (
        (r"(?P<x>.{2,40}?) (?:heißt|heissen|heißen) (?P<c>.+)", "c",
         ("Wie heißt {x}?", "Welchen Namen hat {x}?", "Weißt du, wie {x} heißt?", "Kannst du mir sagen, wie {x} heißt?", "Ich habe vergessen, wie {x} heißt.", "Wie wird {x} genannt?")),
        (r"(?P<x>.{2,40}?) (?P<v>wohnt|lebt) (?:in|auf|am|an|bei) (?P<c>.+)", "c", ("Wo {v} {x}?", "In welchem Ort {v} {x}?", "Weißt du, wo {x} {v}?", "Kannst du mir sagen, wo {x} {v}?", "Wo ist {x} zu Hause?")),
        (r"(?P<x>.{2,40}?) (?P<v>arbeitet) (?:in|bei|für|am|im) (?P<c>.+)", "c", ("Wo {v} {x}?", "Bei wem {v} {x}?", "Weißt du, wo {x} {v}?", "Für wen {v} {x}?")),
        (r"(?P<x>(?:Der|Die|Das|Mein|Meine|Unser|Unsere) .{2,40}?) (?P<v>liegt|steht|hängt|ist) (?P<c>(?:in|im|auf|unter|neben|hinter|am|an|bei|über|vor|zwischen) .+)", "c",
         ("Wo {v} {x}?", "Wo genau {v} {x}?", "Weißt du, wo {x} {v}?", "Kannst du mir sagen, wo {x} {v}?", "Ich habe vergessen, wo {x} {v}.", "An welchem Ort {v} {x}?")),
        (r"(?P<x>.{2,40}?) (?P<v>beginnt|endet|findet|läuft|startet|öffnet|schließt|ist) (?P<c>(?:am|um|jeden|jede|jedes|im) (?:\d|[A-Z]).+?)(?: statt)?", "c",
         ("Wann {v} {x}?", "Weißt du, wann {x} {v}?", "Zu welcher Zeit {v} {x}?", "Kannst du mir sagen, wann {x} {v}?")),
        (r"(?P<x>.{2,30}?) (?P<v>mag|liebt|bevorzugt|trinkt|isst|spielt|nutzt|benutzt) (?:am liebsten |gern |gerne )?(?P<c>.+)", "c", ("Was {v} {x}?", "Was {v} {x} am liebsten?", "Weißt du, was {x} {v}?", "Kannst du mir sagen, was {x} {v}?")),
        (r"(?P<x>(?:Der|Die|Das|Mein|Meine|Unser|Unsere) .{2,50}?) (?P<v>ist|lautet|beträgt|war) (?P<c>.+)", "c",
         ("Was ist {x}?", "Wie {v} {x}?", "Weißt du, wie {x} {v}?", "Kannst du mir sagen, was {x} ist?", "Ich habe vergessen, was {x} ist.")),
        (r"(?P<x>[A-ZÄÖÜ][\wäöüß-]+) ist (?P<c>(?:ein|eine|der|die|das|mein|meine) .+)", "c", ("Wer oder was ist {x}?", "Was ist {x}?", "Weißt du, wer oder was {x} ist?", "Was weißt du über {x}?")),
    ),
    "fr": (
        (r"(?P<x>.{2,40}?) s'appellen?t? (?P<c>.+)", "c", ("Comment s'appelle {x} ?", "Quel nom porte {x} ?", "Sais-tu comment s'appelle {x} ?", "Peux-tu me dire comment s'appelle {x} ?", "J'ai oublié comment s'appelle {x}.")),
        (r"(?P<x>.{2,40}?) (?P<v>habite|vit|travaille) (?:à|en|au|aux|dans|chez|pour) (?P<c>.+)", "c", ("Où {v} {x} ?", "Dans quel endroit {v} {x} ?", "Sais-tu où {v} {x} ?", "Peux-tu me dire où {v} {x} ?")),
        (r"(?P<x>(?:Le|La|Les|Mon|Ma|Mes|Notre) .{2,40}?|L'.{2,40}?) (?P<v>est|sont|se trouve) (?P<c>(?:dans|sur|sous|derrière|à côté|près|devant|chez) .+)", "c", ("Où {v} {x} ?", "Où puis-je trouver {x} ?", "Sais-tu où {v} {x} ?", "Peux-tu me dire où {v} {x} ?", "J'ai oublié où {v} {x}.")),
        (r"(?P<x>(?:Le|La|Les|Mon|Ma|Mes|Notre) .{2,50}?|L'.{2,50}?) (?P<v>est|sont) (?P<c>.+)", "c", ("Quel est {x} ?", "Sais-tu quel est {x} ?", "Peux-tu me dire ce qu'est {x} ?", "Qu'est-ce que {x} ?")),
        (r"(?P<x>.{2,30}?) (?P<v>aime|préfère|déteste|boit|mange|utilise) (?P<c>.+)", "c", ("Qu'est-ce que {x} {v} ?", "Sais-tu ce que {x} {v} ?", "Peux-tu me dire ce que {x} {v} ?")),
    ),
    "es": (
        (r"(?P<x>.{2,40}?) se llaman? (?P<c>.+)", "c", ("¿Cómo se llama {x}?", "¿Cuál es el nombre de {x}?", "¿Sabes cómo se llama {x}?", "¿Puedes decirme cómo se llama {x}?", "He olvidado cómo se llama {x}.")),
        (r"(?P<x>.{2,40}?) (?P<v>vive|trabaja|estudia) (?:en|para|con) (?P<c>.+)", "c", ("¿Dónde {v} {x}?", "¿En qué lugar {v} {x}?", "¿Sabes dónde {v} {x}?", "¿Puedes decirme dónde {v} {x}?")),
        (r"(?P<x>.{2,40}?) (?P<v>está|están) (?P<c>(?:en|sobre|bajo|debajo|detrás|junto|dentro) .+)", "c", ("¿Dónde {v} {x}?", "¿Dónde puedo encontrar {x}?", "¿Sabes dónde {v} {x}?", "He olvidado dónde {v} {x}.")),
        (r"(?P<x>(?:El|La|Los|Las|Mi|Mis|Nuestro|Nuestra) .{2,50}?) (?P<v>es|son) (?P<c>.+)", "c", ("¿Cuál {v} {x}?", "¿Sabes cuál {v} {x}?", "¿Puedes decirme cuál {v} {x}?", "¿Qué {v} {x}?")),
        (r"(?:A )?(?P<x>[A-ZÁÉÍÓÚ]\w+) (?:le gusta|prefiere|odia|bebe|come) (?P<c>.+)", "c", ("¿Qué le gusta a {x}?", "¿Qué prefiere {x}?", "¿Sabes qué le gusta a {x}?")),
    ),
}  # fmt: skip
_FULL_TO_YOU = {
    "zh": (("我们", "你们"), ("我", "你")),
    "de": (("Meine ", "Deine "), ("Mein ", "Dein "), ("meine ", "deine "), ("mein ", "dein "), ("meinem ", "deinem "), ("meiner ", "deiner ")),
    "fr": (("Mon ", "Ton "), ("Ma ", "Ta "), ("Mes ", "Tes "), (" mon ", " ton "), (" ma ", " ta ")),
    "es": (("Mi ", "Tu "), ("Mis ", "Tus "), (" mi ", " tu ")),
}  # fmt: skip
_STOPS = "。！？!?.；;"


def foreign_drafts(sentence: Sentence, language: Language, author: str, used: set[str]) -> list[Draft]:
    """What a sentence in another language gives: its patterns' questions, or one general draft."""
    text = sentence.text.strip().rstrip(_STOPS).strip()
    if language == "zh":
        text = re.sub(r"(?<=[\u3400-\u9fff])[,](?=\S)|(?<=\d)[,](?=[\u3400-\u9fff])", "，", text)
        text = re.sub(r"(?<=[\u3400-\u9fff]):", "：", text)
        text = text.replace(" ", "") if not re.search(r"[A-Za-z]", text) else text
        if author:
            text = text.replace("我们", f"{author}他们").replace("我", author)
    if len(text) < 3:
        return []
    out: list[Draft] = []
    for part in re.split(r"[，；;]", text) if language == "zh" else [text]:
        for pattern, group, forms in _PATTERNS.get(language, ()):
            match = re.fullmatch(pattern, part.strip())
            if not match:
                continue
            named = {key: _in_question(value, language) for key, value in match.groupdict().items()}
            if re.match(
                r"^(?:他|她|它|这|那|其|此|因|所以|er|sie|es|il|elle|este|esta)\b",
                named.get("x", ""),
                re.IGNORECASE,
            ):
                break
            answer = match[group].strip()
            questions = tuple(
                text
                for text in (form.format(**named) for form in forms)
                if not leaks(answer, text) and answer not in text
            )
            if questions:
                full = _to_you(part.strip(), language)
                answer = answer if answer in full else _to_you(answer, language)
                out.append(
                    Draft(
                        answer,
                        full + ("。" if language == "zh" else "."),
                        (),
                        (),
                        named.get("x", ""),
                        _is_single(match, pattern, language),
                        1.5,
                        questions,
                    )
                )
            break
    return out or _general(sentence, text, language, used)


def _is_single(match: re.Match[str], pattern: str, language: Language) -> bool:
    """Whether only one answer can be right: a name, a property; not what somebody likes."""
    if language == "zh":
        return "a" in match.groupdict() or "叫" in pattern
    return match.groupdict().get("v", "ist") in {
        "ist",
        "lautet",
        "beträgt",
        "est",
        "es",
        "liegt",
        "steht",
        "está",
    }


def _in_question(value: str, language: Language) -> str:
    value = value.strip()
    if language == "de":
        return re.sub(
            r"^(Der|Die|Das|Mein|Meine|Unser|Unsere|Ein|Eine|Ich|Wir)\b",
            lambda match: match[0].lower(),
            value,
        )
    if language == "fr":
        return re.sub(r"^(Le|La|Les|L'|Mon|Ma|Mes|Notre|Je|Nous)\b", lambda match: match[0].lower(), value)
    if language == "es":
        return re.sub(r"^(El|La|Los|Las|Mi|Mis|Nuestro|Nuestra)\b", lambda match: match[0].lower(), value)
    return value


def _to_you(text: str, language: Language) -> str:
    for mine, yours in _FULL_TO_YOU.get(language, ()):
        text = text.replace(mine, yours)
    return text


def _general(sentence: Sentence, text: str, language: Language, used: set[str]) -> list[Draft]:
    heading = sentence.heading.rpartition(" › ")[2].strip(" #*")
    noun = heading if heading and heading not in used else _first_words(text, language)
    used.add(heading)
    if not noun or len(text) < 6:
        return []
    told = _to_you(text, language)
    limit = 80 if language in {"zh", "ja"} else 240
    told = told if len(told) <= limit else re.split(r"[，,；;：:]", told)[0][:limit]
    questions = tuple(form.format(noun) for form in _GENERAL[language if language in _GENERAL else "other"])
    return [
        Draft(told, told + ("。" if language in {"zh", "ja"} else "."), (), (), noun, False, 0.5, questions)
    ]


def _first_words(text: str, language: Language) -> str:
    if language == "zh":
        match = re.match(r"^(?:请|今天|昨天|明天)?([^，,。：:的是在有了把被对和\s]{2,8})", text)
        return match[1] if match else text[:4]
    if language == "ja":
        return re.split(r"[はがをにで、]", text)[0][:12]
    if language == "de":
        nouns = re.findall(r"(?<!^)\b[A-ZÄÖÜ][\wäöüß-]{2,}", text)
        return nouns[0] if nouns else " ".join(text.split()[:3])
    return _in_question(" ".join(text.split()[:2]), language)

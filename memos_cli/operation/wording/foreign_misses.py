# ruff: noqa: E501  (a table)
"""Near misses of facts in Chinese, German, French and Spanish: small tables of words to change. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from memos_cli.operation.wording.facts import Fact

_CHINESE = """
猫 狗 兔子 鹦鹉 仓鼠 金鱼
妈妈 爸爸 奶奶 爷爷 外婆
姐姐 哥哥 弟弟 妹妹 表哥 表姐
儿子 女儿 孙子
妻子 丈夫 女朋友 男朋友
老师 教练 经理 老板 同事 邻居 房东
医生 牙医 护士 兽医
公司 学校 部门 团队 客户 医院
厨房 卧室 客厅 车库 阳台 书房 地下室
钥匙 护照 钱包 雨伞 眼镜 充电器
服务器 数据库 路由器 打印机 笔记本电脑
密码 端口 地址 版本 用户名
生日 年龄 身高 体重 电话 职业
颜色 价格 大小 重量
名字 外号 年纪
茶 咖啡 牛奶 果汁 啤酒 水
米饭 面条 饺子 火锅 披萨
鸡肉 牛肉 海鲜 花生 鸡蛋
钢琴 吉他 小提琴 大提琴
足球 篮球 游泳 网球 跑步
北京 上海 广州 深圳 成都 杭州 南京
周一 周二 周三 周四 周五 周六 周日
项目 产品 合同 报告 会议
预算 截止日期 负责人 开始时间
汽车 自行车 摩托车
备份 更新 部署
生产 测试 开发
红色 蓝色 绿色 黑色
小明 小红 王芳 李伟 张敏 陈静
吃 喝 看 玩
住 工作 上学
"""
_CHINESE_OPEN = (
    "给宠物起名字有什么好办法？", "怎样记住别人的名字？", "怎样写好会议纪要？", "什么样的密码比较安全？", "怎样泡一杯好茶？",
    "数据库常用的端口有哪些？", "搬家要注意什么？", "怎样安排一天的时间？", "中国最长的河是哪一条？", "怎样养成记笔记的习惯？",
)  # fmt: skip
_CHINESE_PEOPLE = re.compile(
    r"^(?:我|我们)$|[妹姐哥弟妈爸奶爷叔姨婆]|医生|老师|经理|同事|邻居|房东|朋友|妻子|丈夫|儿子|女儿|^[王李张刘陈杨赵黄周吴徐孙马朱胡林郭何高罗小老][\u4e00-\u9fff]{1,2}$"
)
_CHINESE_ABSTRACT = re.compile(r"会|项目|租约|合同|数据库|服务器|报告|目标|预算|计划|密码|备份|课")
_CHINESE_PROPERTIES = {
    "person": ("{}多大了？", "{}的电话号码是多少？", "{}的生日是哪一天？", "{}最喜欢的书是什么？", "{}穿多大的鞋？", "{}会说哪些语言？", "{}害怕什么？", "{}的邮箱是什么？"),
    "abstract": ("{}是谁批准的？", "{}花了多少钱？", "{}从哪一年开始有的？", "{}有多少人参加？", "谁检查{}？", "{}上次是谁改的？"),
    "thing": ("{}是什么颜色的？", "{}多少钱？", "{}是什么时候买的？", "谁送的{}？", "{}有多重？", "{}是谁修的？", "{}多大了？"),
}  # fmt: skip
_GERMAN = """
Hund Hamster Papagei Kater
Katze Maus Schildkröte
Schwester Mutter Tante Oma Cousine Tochter
Bruder Vater Onkel Opa Sohn Cousin
Chef Nachbar Vermieter Zahnarzt Trainer Hausarzt
Kollegin Lehrerin Ärztin Nachbarin Chefin
Ersatzschlüssel Reisepass Regenschirm Geldbeutel Autoschlüssel
Küche Garage Diele Speisekammer
Keller Flur Balkon Garten
Verein Betrieb Kunde
Firma Abteilung Gruppe
Server Drucker Router Rechner
Datenbank Kamera Waschmaschine
Auto Fahrrad Motorrad Boot
Tee Kaffee Wein Saft
Berlin Hamburg München Köln Leipzig Wien Zürich
Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag
Besprechung Hochzeit Prüfung Versammlung Probe
Mietvertrag Kaufvertrag Leihvertrag
WLAN-Passwort Rechner-Passwort E-Mail-Passwort
wohnt arbeitet studiert
"""
_FRENCH = """
chat chien lapin perroquet hamster
sœur mère tante cousine fille
frère père oncle cousin fils
chef collègue voisin médecin dentiste
clé valise lampe boîte
passeport parapluie portefeuille
cuisine cave chambre
garage salon bureau
projet produit contrat
entreprise équipe association
serveur routeur ordinateur
voiture moto
vélo bateau
thé café vin lait
Paris Lyon Marseille Bordeaux Lille Nantes
lundi mardi mercredi jeudi vendredi samedi dimanche
habite travaille
"""
_SPANISH = """
gato perro conejo loro hámster
hermana madre tía prima hija
hermano padre tío primo hijo
jefe colega vecino médico dentista
llave maleta lámpara cartera
pasaporte paraguas bolso
cocina oficina
sótano garaje salón dormitorio
proyecto producto equipo contrato
empresa asociación
servidor router ordenador
coche barco
bicicleta moto
té café vino zumo
wifi correo servidor
Madrid Barcelona Sevilla Valencia Bilbao
lunes martes miércoles jueves viernes sábado domingo
vive trabaja estudia
"""
_WHOSE = {
    "de": (("meine ", "deine "), ("mein ", "dein "), ("meinem ", "deinem "), ("meiner ", "deiner ")),
    "fr": (("mon ", "ton "), ("ma ", "ta "), ("mes ", "tes ")),
    "es": (("mi ", "tu "), ("mis ", "tus ")),
}
_PROPERTIES = {
    "de": {
        "person": ("Wie alt ist {}?", "Wann hat {} Geburtstag?", "Welche Sprachen spricht {}?", "Welche Schuhgröße hat {}?", "Wovor hat {} Angst?", "Welches Auto fährt {}?"),
        "thing": ("Wie viel kostet {}?", "Wie alt ist {}?", "Welche Farbe hat {}?", "Woher kommt {}?", "Wem gehört {}?"),
    },
    "fr": {
        "person": ("Quel âge a {} ?", "Quelles langues parle {} ?", "De quoi {} a peur ?", "Quelle voiture conduit {} ?", "Combien gagne {} ?"),
        "thing": ("Combien coûte {} ?", "De quelle couleur est {} ?", "À qui est {} ?", "D'où vient {} ?"),
    },
    "es": {
        "person": ("¿Cuántos años tiene {}?", "¿Qué idiomas habla {}?", "¿De qué tiene miedo {}?", "¿Qué coche conduce {}?", "¿Cuánto gana {}?"),
        "thing": ("¿Cuánto cuesta {}?", "¿De qué color es {}?", "¿De quién es {}?", "¿De dónde viene {}?"),
    },
}  # fmt: skip
_PEOPLE = re.compile(
    r"schwester|bruder|mutter|vater|tante|onkel|oma|opa|cousin|tochter|sohn|chef|nachbar|kollegin|lehrerin|ärztin|arzt|trainer|sœur|frère|mère|père|oncle|fille|fils"
    r"|voisin|médecin|dentist|herman|madre|padre|tía|tío|prim[ao]|hij[ao]|jefe|colega|vecin|^[A-ZÄÖÜÉ]\w+$",
    re.IGNORECASE,
)
_ANIMALS = re.compile(
    r"katze|kater|hund|hamster|papagei|chat|chien|lapin|gato|perro|conejo|loro", re.IGNORECASE
)
_OPEN = {
    "de": ("Wie merkt man sich Namen?", "Was ist ein sicheres Passwort?", "Wie kocht man guten Tee?", "Welche Vornamen sind beliebt?", "Was macht eine gute Notiz aus?", "Wie plant man einen Umzug?"),
    "fr": ("Comment retenir les prénoms ?", "Qu'est-ce qu'un bon mot de passe ?", "Comment préparer un bon thé ?", "Quels prénoms sont à la mode ?", "Comment prendre de bonnes notes ?"),
    "es": ("¿Cómo recordar los nombres?", "¿Qué es una buena contraseña?", "¿Cómo se prepara un buen té?", "¿Qué nombres están de moda?", "¿Cómo tomar buenas notas?"),
}  # fmt: skip
_TABLES = {"de": _GERMAN, "fr": _FRENCH, "es": _SPANISH}


def foreign_candidates(fact: Fact, facts: Sequence[Fact]) -> Iterator[tuple[str, str]]:
    """(sort, question), as ``near_misses`` wants them."""
    language = _language(fact.questions[0])
    if language == "ja":
        yield from (
            ("open", text)
            for text in (
                "日本で一番高い山は何ですか？",
                "おいしいお茶の入れ方は？",
                "よいパスワードとは何ですか？",
                "猫の好きな食べ物は何ですか？",
            )
        )
        return
    said = "".join(one.sentence for one in facts)
    for question in fact.questions:
        if language == "zh":
            for line in _CHINESE.strip().splitlines():
                words = line.split()
                for old in words:
                    if old in question:
                        yield from (
                            ("swap", question.replace(old, new, 1)) for new in words if new not in said
                        )
            if "我的" in question and "你的" not in said:
                yield "asker", question.replace("我的", "你的", 1)
                yield "asker", question.replace("我的", "小明的", 1)
            elif re.match(r"我(?!把|忘|们)", question):
                yield "asker", question.replace("我", "小明", 1)
        else:
            for line in _TABLES[language].strip().splitlines():
                words = line.split()
                for old in words:
                    if re.search(rf"(?<!\w){old}(?!\w)", question):
                        yield from (
                            ("swap", re.sub(rf"(?<!\w){old}(?!\w)", new, question, count=1))
                            for new in words
                            if new not in said
                        )
            for mine, yours in _WHOSE[language]:
                if re.search(rf"(?<!\w){mine}", question):
                    yield "asker", re.sub(rf"(?<!\w){mine}", yours, question, count=1)
    yield from (("open", text) for text in (_CHINESE_OPEN if language == "zh" else _OPEN[language]))
    if fact.about:
        yield from (("property", form.format(fact.about)) for form in _properties(language, fact.about))


def _properties(language: str, about: str) -> Sequence[str]:
    if language == "zh":
        kind = (
            "person"
            if _CHINESE_PEOPLE.search(about)
            else "abstract"
            if _CHINESE_ABSTRACT.search(about)
            else "thing"
        )
        return _CHINESE_PROPERTIES[kind] if len(about) < 9 else ()
    if re.match(r"[a-z]", about) and _ANIMALS.search(about):
        return _PROPERTIES[language]["thing"][:3]
    named = not re.match(r"[a-zäöüéà]", about)
    return _PROPERTIES[language][
        "person" if _PEOPLE.search(about if not named else about.split()[0]) else "thing"
    ]


def _language(question: str) -> str:
    if re.search(r"[\u3040-\u30ff]", question):
        return "ja"
    if re.search(r"[\u3400-\u9fff]", question):
        return "zh"
    if "¿" in question or re.match(r"Háblame|He olvidado", question):
        return "es"
    return "fr" if question.endswith(" ?") or re.match(r"Parle-moi|J'ai", question) else "de"

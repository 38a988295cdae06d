"""Lines that are site furniture: menus, breadcrumbs, footers.

Rules only, so that a document's result never depends on its neighbours in a shard. A line goes
when it consists of nothing but such words, or is a chain of short link texts; a sentence that
mentions them stays. Short lines alone are no sign: poems have them.
"""

import re

MAXIMUM_LINE_CHARACTERS = 160

WORDS = (
    r"home|top|menu|search|log ?in|log ?out|sign ?in|sign ?up|register|contact( us)?|about( us)?"
    r"|privacy policy|terms( of (use|service))?|site ?map|skip to (main )?content|back to top"
    r"|read more|next|prev(ious)?|share|tweet|print|rss|faq|help|cookie policy|subscribe"
    r"|ホーム|トップ(ページ)?|メニュー|検索|サイト内検索|ログイン|ログアウト|新規(会員)?登録|会員登録"
    r"|お問い?合わ?せ|サイトマップ|プライバシー ?ポリシー|個人情報(の取り?扱い|保護方針)(について)?"
    r"|(ご)?利用規約|会社概要|運営会社|運営者情報|特定商取引法に基づく表[示記]|採用情報|アクセス"
    r"|よくある(ご)?質問|ヘルプ|お気に入り|カート(を見る)?|次へ|前へ|次の(ページ|記事)(へ)?|前の(ページ|記事)(へ)?"
    r"|(この)?ページの?(先頭|トップ|上)(へ|に)?(戻る)?|トップ(ページ)?(へ|に)戻る|戻る|もっと(見る|読む)|続きを読む"
    r"|(記事)?一覧(へ|を見る)?|新着(情報|記事)?|お知らせ(一覧)?|関連(記事|リンク)|最近の(記事|投稿|コメント)"
    r"|カテゴリー?(一覧)?|タグ(一覧)?|アーカイブ|人気の?(記事|ページ|ランキング)|ランキング|関連する記事(はこちら)?"
    r"|(この(記事|ページ)を)?(シェア|ツイート|印刷)(する)?|(この記事への)?コメント(する|は(まだ)?ありません)?"
    r"|メニュー(を(開く|閉じる))|文字の大きさ|広告|スポンサー(ド)?リンク|メールマガジンに?(登録|購読)(する)?"
    r"|本文へ(移動|スキップ)|文字サイズ"
    r"|首页|登录|注册|联系我们|关于我们|隐私政策|使用条款|网站地图|上一[页篇]|下一[页篇]|返回顶部|更多"
)
ARROWS = ">\u00bb\u203a\u2192\uff1e|\uff5c"
SEPARATORS = f" \t\u3000\xa0{ARROWS}/\u30fb\u00b7\u2022\uff0f<\u00ab\u2039\u2190[]\u3010\u3011"
SEPARATOR = f"[{re.escape(SEPARATORS)}]"
MENU = re.compile(rf"{SEPARATOR}*(?:{WORDS})(?:{SEPARATOR}+(?:{WORDS}))*{SEPARATOR}*", re.I)
COPYRIGHT = re.compile(
    r"(?:copyright\b|\(c\) |©|\u24d2).{0,120}|.{0,100}all rights reserved\.?.{0,20}", re.I
)
# "posted on 2025-01-06", "category: travel": a label and a short value
LABEL = re.compile(
    r"(?:(?:投稿日|更新日|公開日|最終更新日?|カテゴリー?|タグ|投稿者|tags|category)\s?[:：]"
    r"|(?:投稿日|更新日|公開日|最終更新日?)\s?(?=[0-9])|(?:posted (?:on|by|in)|filed under)\s)"
    r"\s?[^。.!?]{1,30}",
    re.I,
)
NOTICE = re.compile(
    r"(?:当|この|本)(?:ウェブ|web)?サイトで?は.{0,30}(?:cookie|クッキー).{0,80}"
    r"|.{0,30}(?:this (?:web)?site uses|we use) cookies.{0,80}"
    r"|.{0,10}(?:ログイン|会員登録)すると.{0,4}(?:続き|全文).{0,20}",
    re.I,
)
_STARTS = """
    hom top men sea log sig reg con abo pri ter sit ski bac rea nex pre sha twe rss faq hel coo sub
    ホー トッ メニ 検索 サイ ログ 新規 会員 お問 プラ 個人 ご利 利用 会社 運営 特定 採用 アク よく
    ヘル お気 カー 次へ 前へ 次の 前の この ペー 戻る もっ 続き 記事 一覧 新着 お知 関連 最近 カテ
    タグ アー 人気 ラン シェ ツイ 印刷 コメ 文字 広告 スポ メー 本文 当サ 当ウ 当w 本サ 本ウ 本w
    首页 登录 注册 联系 关于 隐私 使用 网站 上一 下一 返回 更多
"""
STARTS = _STARTS.split()
"""How every line begins that MENU matches, or NOTICE in Japanese."""
LABEL_STARTS = ("tag", "cat", "pos", "fil", "(c)", "カテ", "タグ", "投稿", "更新", "公開", "最終")
"""How every line begins that LABEL matches."""
LINK = rf"[^{ARROWS}]{{1,24}}"
# a chain in ASCII alone may be a shell's pipe, so it must begin like a menu
BREADCRUMB = re.compile(rf"(?=.*[^\x00-\x7f]|(?:{WORDS})\s){LINK}(?:[{ARROWS}]{LINK}){{2,}}", re.I)
SENTENCE_END = re.compile(r"[。．.!?！？]$")


def is_boilerplate(line: str) -> bool:
    """Whether a line is nothing but site furniture."""
    line = line.strip()
    if not line or len(line) > MAXIMUM_LINE_CHARACTERS:
        return False
    return is_menu(line) or is_notice(line) or is_chain(line)


def is_menu(line: str) -> bool:
    """Whether a stripped line is words of a menu, or a label with a short value."""
    return bool(MENU.fullmatch(line) or LABEL.fullmatch(line))


def is_notice(line: str) -> bool:
    """Whether a stripped line is a copyright, a notice of cookies or of more behind a login."""
    return bool(COPYRIGHT.fullmatch(line) or NOTICE.fullmatch(line))


def is_chain(line: str) -> bool:
    """Whether a stripped line is a chain of short link texts."""
    return bool(BREADCRUMB.fullmatch(line)) and not SENTENCE_END.search(line)

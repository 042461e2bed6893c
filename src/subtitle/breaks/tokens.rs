//! Between tokens of scripts without spaces, by the characters on both sides. Knows no words.

use super::Grade;
use crate::language::Language;
use crate::subtitle::scripts::{is_han, is_hiragana, is_katakana, is_unspaced};

/// The grade between two units without a space and a mark between them.
pub fn between(a: &str, b: &str, language: Language) -> Grade {
    let (Some(x), Some(y)) = (a.chars().next_back(), b.chars().next()) else {
        return Grade::Plain;
    };
    let word = |c: char| c.is_alphanumeric() && !is_unspaced(c);
    if word(x) && word(y) || is_katakana(x) && is_katakana(y) {
        Grade::Tight
    } else if language.whisper_code() == "ja" || is_hiragana(x) || is_hiragana(y) {
        japanese(x, y)
    } else if is_han(x) && is_han(y) {
        chinese(x, y)
    } else if is_syllabic(x) && is_syllabic(y) {
        syllables(x, b)
    } else {
        Grade::Plain
    }
}

/// What begins like a particle and is none: the first two letters of Japanese words.
#[rustfmt::skip]
const NO_PARTICLES: &[&str] = &[
    "です", "でし", "でき", "でい", "とき", "とこ", "とて", "とい", "とし", "とっ", "もの", "もう", "もし", "もっ", "もら", "やは", "やっ", "にく",
    "はじ", "はず", "がん", "がっ",
];

/// Frequent Chinese words of two characters: Whisper's tokens are often single ones.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "我们", "你们", "他们", "她们", "它们", "咱们", "大家", "自己", "别人", "有人", "没人", "什么", "怎么", "为什", "哪里", "那里", "这里", "这儿", "那儿", "哪儿",
    "这个", "那个", "哪个", "一个", "两个", "这些", "那些", "一些", "这样", "那样", "这么", "那么", "多少", "没有", "不是", "不要", "不能", "不会", "不用", "不知",
    "知道", "觉得", "认为", "以为", "希望", "喜欢", "需要", "应该", "可以", "可能", "能够", "必须", "告诉", "说话", "帮助", "帮忙", "开始", "继续", "结束", "发生",
    "发现", "出现", "看见", "看到", "听见", "听到", "记得", "忘记", "相信", "明白", "了解", "理解", "认识", "打开", "离开", "回来", "回去", "出来", "出去", "进来",
    "进去", "起来", "下来", "下去", "过来", "过去", "因为", "所以", "但是", "可是", "不过", "如果", "虽然", "而且", "或者", "还是", "还有", "已经", "正在", "曾经",
    "从来", "一直", "总是", "经常", "有时", "以前", "以后", "之前", "之后", "现在", "今天", "昨天", "明天", "早上", "晚上", "上午", "下午", "中午", "时候", "时间",
    "小时", "分钟", "星期", "今年", "去年", "明年", "先生", "小姐", "太太", "女士", "医生", "老师", "学生", "警察", "朋友", "孩子", "父亲", "母亲", "爸爸", "妈妈",
    "哥哥", "姐姐", "弟弟", "妹妹", "儿子", "女儿", "丈夫", "妻子", "男人", "女人", "公司", "学校", "医院", "工作", "问题", "事情", "东西", "地方", "世界", "中国",
    "美国", "英国", "北京", "上海", "电话", "手机", "电影", "音乐", "一样", "一起", "一下", "一点", "一定", "当然", "真的", "其实", "也许", "非常", "特别", "关于",
    "對不", "我們", "你們", "他們", "她們", "這個", "那個", "哪個", "一個", "兩個", "這些", "這樣", "那樣", "這麼", "那麼", "什麼", "怎麼", "為什", "這裡", "那裡",
    "哪裡", "沒有", "沒人", "覺得", "認為", "以為", "喜歡", "應該", "能夠", "必須", "告訴", "說話", "幫助", "幫忙", "開始", "繼續", "結束", "發生", "發現", "出現",
    "看見", "聽見", "聽到", "記得", "忘記", "瞭解", "認識", "打開", "離開", "回來", "出來", "進來", "進去", "起來", "下來", "過來", "過去", "因為", "但是", "雖然",
    "還是", "還有", "已經", "曾經", "從來", "總是", "經常", "有時", "以後", "之後", "現在", "時候", "時間", "小時", "分鐘", "醫生", "老師", "學生", "孩子", "父親",
    "母親", "媽媽", "兒子", "女兒", "學校", "醫院", "問題", "東西", "中國", "美國", "電話", "手機", "電影", "音樂", "一樣", "一點", "當然", "其實", "也許", "特別",
    "關於", "对不", "不起",
];

/// A phrase ends in hiragana (particles, endings) and the next begins with another script.
fn japanese(x: char, y: char) -> Grade {
    const PARTICLES: &str = "はがをにでともへや";
    match (is_hiragana(x), is_hiragana(y)) {
        // No word begins with it.
        (_, true) if y == 'ん' => Grade::Tight,
        // The little tsu and prefixes belong to what follows, の ties two nouns.
        (true, false) if "のっおご".contains(x) => Grade::Bound,
        (true, false) => Grade::Conjunction,
        (true, true) if NO_PARTICLES.contains(&&*String::from_iter([x, y])) => Grade::Bound,
        (true, true) if PARTICLES.contains(x) && !PARTICLES.contains(y) => Grade::Plain,
        (true, true) => Grade::Bound,
        (false, true) => Grade::Tight,
        (false, false) if is_katakana(x) != is_katakana(y) => Grade::Plain,
        (false, false) => Grade::Bound,
    }
}

fn chinese(x: char, y: char) -> Grade {
    const ENCLITICS: &str = "的了吗呢吧啊着过们地得嗎過們著";
    const OPENERS: &str = "和但而因所如在从對对把被跟与與或当當虽雖并並從";
    // Adverbs, determiners and numerals belong to what follows.
    const BINDERS: &str = "不没沒很再就都也更最太这這那每第一二三四五六七八九十百千";
    if ENCLITICS.contains(y) || WORDS.contains(&&*String::from_iter([x, y])) {
        Grade::Tight
    } else if OPENERS.contains(x) || BINDERS.contains(x) {
        Grade::Bound
    } else if OPENERS.contains(y) {
        Grade::Preposition
    } else if "了吗嗎呢吧啊".contains(x) {
        Grade::Conjunction
    } else {
        Grade::Plain
    }
}

/// Thai, Lao, Burmese, Khmer.
fn is_syllabic(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF)
}

/// Without a dictionary: where a syllable surely begins or has ended, better than where one might be cut. A vowel that
/// is written before its consonant begins one, and some signs end one.
fn syllables(x: char, b: &str) -> Grade {
    let mut next = b.chars();
    let (first, second) = (next.next().unwrap_or_default(), next.next());
    let begins = matches!(u32::from(first), 0x0E40..=0x0E44 | 0x0EC0..=0x0EC4);
    let ended = matches!(u32::from(x), 0x0E2F..=0x0E30 | 0x0E33 | 0x0E46 | 0x0EB0 | 0x0EB3 | 0x0EC6 | 0x1038);
    // A Burmese consonant that its sign makes the end of a syllable.
    let ends = second == Some('\u{103a}');
    match (ends, begins || ended) {
        (true, _) => Grade::Tight,
        (_, true) => Grade::Plain,
        _ => Grade::Near,
    }
}

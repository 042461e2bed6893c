//! The arguments of a regrouping's methods. Does not know what they are for.

use super::{How, Mark, Method, Size};

/// The arguments of one method, taken by position.
pub struct Args<'a> {
    key: &'a str,
    values: Vec<&'a str>,
    next: usize,
}

impl<'a> Args<'a> {
    pub fn new(key: &'a str, text: Option<&'a str>) -> Args<'a> {
        Args { key, values: text.map(|t| t.split('+').collect()).unwrap_or_default(), next: 0 }
    }

    /// Fails when an argument is left.
    pub fn end(&self) -> Result<(), String> {
        match self.values.get(self.next) {
            Some(extra) => Err(self.wrong(&format!("the argument '{extra}' is one too many"))),
            None => Ok(()),
        }
    }

    pub fn wrong(&self, why: &str) -> String {
        format!("'{}': {why}", self.key)
    }

    /// The next argument, unless it is left out.
    pub fn take(&mut self) -> Option<&'a str> {
        let value = self.values.get(self.next).copied().filter(|v| !v.is_empty());
        self.next = (self.next + 1).min(self.values.len());
        value
    }

    pub fn number(&mut self, name: &str) -> Result<Option<f64>, String> {
        let Some(text) = self.take() else { return Ok(None) };
        let found = text.trim().parse().ok().filter(|n: &f64| (0.0..=1e6).contains(n));
        found
            .map(Some)
            .ok_or_else(|| self.wrong(&format!("{name} is '{text}', which is no number from 0 on")))
    }

    pub fn seconds(&mut self, name: &str) -> Result<Option<i64>, String> {
        Ok(self.number(name)?.map(|s| (s * 1000.0).round() as i64))
    }

    pub fn count(&mut self, name: &str) -> Result<Option<usize>, String> {
        match self.number(name)? {
            Some(n) if n < 1.0 => Err(self.wrong(&format!("{name} must be at least 1"))),
            found => Ok(found.map(|n| n as usize)),
        }
    }

    pub fn switch(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.take() {
            None => Ok(None),
            Some("1" | "True") => Ok(Some(true)),
            Some("0" | "False") => Ok(Some(false)),
            Some(text) => Err(self.wrong(&format!("{name} is '{text}': give 1 or 0"))),
        }
    }

    pub fn strings(&mut self) -> Vec<String> {
        let strings = self.take().map(|v| v.split('/').map(|s| s.trim().to_string()).collect::<Vec<_>>());
        strings.unwrap_or_default().into_iter().filter(|s| !s.is_empty()).collect()
    }

    pub fn marks(&mut self) -> Result<Vec<Mark>, String> {
        let mark = |s: &str| match s.split_once('*') {
            Some((left, right)) => Mark::Between(left.to_string(), right.to_string()),
            None => Mark::Any(s.to_string()),
        };
        match self.take() {
            Some(list) => Ok(list.split('/').filter(|s| !s.is_empty()).map(mark).collect()),
            None => Err(self.wrong("it needs marks, as in .* /。/?/？")),
        }
    }

    pub fn how(&mut self) -> Result<How, String> {
        Ok(How {
            lock: self.switch("lock")?.unwrap_or(false),
            newline: self.switch("newline")?.unwrap_or(false),
        })
    }

    /// `ignore_special_periods` of a single method.
    pub fn abbreviations(&mut self) -> Result<(), String> {
        match self.switch("ignore_special_periods")? {
            Some(true) => {
                Err(self.wrong("ignore_special_periods holds for all methods here: put isp before it"))
            }
            _ => Ok(()),
        }
    }

    pub fn split(&mut self, most: Size, needed: &str) -> Result<Method, String> {
        if most == Size::default() {
            return Err(self.wrong(&format!("it needs {needed}")));
        }
        let (even, anew) = (self.switch("even_split")?, self.switch("force_len")?);
        let lock = self.switch("lock")?.unwrap_or(false);
        if self.switch("include_lock")? == Some(true) {
            return Err(self.wrong("include_lock is not understood"));
        }
        let how = How { lock, newline: self.switch("newline")?.unwrap_or(false) };
        self.abbreviations()?;
        Ok(Method::SplitBySize { most, even: even.unwrap_or(true), anew: anew.unwrap_or(false), how })
    }

    pub fn merge(&mut self) -> Result<(Size, bool, How), String> {
        let (words, chars) = (self.count("max_words")?, self.count("max_chars")?);
        let sum = self.switch("is_sum_max")?.unwrap_or(false);
        Ok((Size { words, chars, ms: None }, sum, self.how()?))
    }
}

//! Reads the table of a CTranslate2 `model.bin` and parts of its data. Does not know what the variables mean.

use super::Error;
use super::joined::{Bounded, Fault, Joined};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// More variables than any Whisper has (large: about 1,500).
const MOST_VARIABLES: u32 = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    F32,
    I8,
    I16,
    I32,
    F16,
    Bf16,
}

impl Dtype {
    fn from_number(n: u8) -> Option<Dtype> {
        [Dtype::F32, Dtype::I8, Dtype::I16, Dtype::I32, Dtype::F16, Dtype::Bf16].get(usize::from(n)).copied()
    }

    pub fn bytes(self) -> u64 {
        match self {
            Dtype::F32 | Dtype::I32 => 4,
            Dtype::I16 | Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::I8 => 1,
        }
    }
}

/// One entry of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    /// Outermost first; empty for a single number.
    pub shape: Vec<u32>,
    pub dtype: Dtype,
    /// Where its data begins.
    pub offset: u64,
}

/// A `model.bin` of binary version 6, its table read and its data left where it is.
pub(super) struct Ct2 {
    reader: Bounded<Joined>,
    path: PathBuf,
    variables: HashMap<String, Variable>,
    aliases: HashMap<String, String>,
}

impl Ct2 {
    /// Reads the table out of the file, or its parts in order. `path` is for messages.
    ///
    /// Fails when it is no Whisper model of CTranslate2, when its version is not the known one, when a part is
    /// missing and when the table contradicts itself.
    pub fn open(path: &Path, parts: &[PathBuf]) -> Result<Ct2, Error> {
        let joined =
            Joined::open(parts).map_err(|(path, source)| Error::Io { doing: "read", path, source })?;
        let mut ct2 = Ct2 {
            reader: Bounded::joined(joined),
            path: path.to_owned(),
            variables: HashMap::new(),
            aliases: HashMap::new(),
        };
        ct2.read_table()?;
        Ok(ct2)
    }

    /// An error about this file.
    pub fn refuse(&self, why: impl Into<String>) -> Error {
        Error::Source { path: self.path.clone(), why: why.into() }
    }

    fn fault(&self, fault: Fault) -> Error {
        match fault {
            Fault::Short { at } => self.refuse(format!(
                "it ends at byte {at} in the middle of the model; a part is missing, or a file was cut short"
            )),
            Fault::Io(source) => Error::Io { doing: "read", path: self.path.clone(), source },
        }
    }

    fn get<T>(&mut self, read: impl FnOnce(&mut Bounded<Joined>) -> Result<T, Fault>) -> Result<T, Error> {
        read(&mut self.reader).map_err(|fault| self.fault(fault))
    }

    /// Length with the NUL, then the bytes with the NUL.
    fn string(&mut self) -> Result<String, Error> {
        let bytes = self.get(|r| {
            let len = r.u16()?;
            r.bytes(usize::from(len))
        })?;
        let text = bytes.strip_suffix(&[0]).and_then(|b| std::str::from_utf8(b).ok());
        text.map(str::to_owned).ok_or_else(|| self.refuse("a name in its table is not text"))
    }

    fn read_table(&mut self) -> Result<(), Error> {
        let version = self.get(Bounded::u32)?;
        if version != 6 {
            return Err(self.refuse(format!(
                "it begins with {version}, not with 6, the version of CTranslate2's files that is known here; \
                 convert the model again with a current CTranslate2"
            )));
        }
        let spec = self.string()?;
        if spec != "WhisperSpec" {
            return Err(self.refuse(format!("it is a model of the kind '{spec}', not a Whisper model")));
        }
        let revision = self.get(Bounded::u32)?;
        if revision != 3 {
            return Err(self.refuse(format!("its revision is {revision}, and only 3 is known here")));
        }
        let count = self.get(Bounded::u32)?;
        if count > MOST_VARIABLES {
            return Err(self.refuse(format!("its table counts {count} variables, more than any Whisper has")));
        }
        for _ in 0..count {
            self.read_variable()?;
        }
        let aliases = self.get(Bounded::u32)?;
        if aliases > MOST_VARIABLES {
            return Err(self.refuse(format!("its table counts {aliases} aliases, more than any Whisper has")));
        }
        for _ in 0..aliases {
            let (alias, name) = (self.string()?, self.string()?);
            if !self.variables.contains_key(&name) {
                return Err(
                    self.refuse(format!("the alias '{alias}' stands for '{name}', which is not there"))
                );
            }
            if self.variables.contains_key(&alias) || self.aliases.insert(alias.clone(), name).is_some() {
                return Err(self.refuse(format!("'{alias}' is there twice")));
            }
        }
        match self.reader.left() {
            0 => Ok(()),
            left => {
                Err(self
                    .refuse(format!("{left} bytes follow behind its end; are the parts those of one model?")))
            }
        }
    }

    fn read_variable(&mut self) -> Result<(), Error> {
        let name = self.string()?;
        let rank = self.get(Bounded::u8)?;
        let shape = (0..rank).map(|_| self.get(Bounded::u32)).collect::<Result<Vec<u32>, Error>>()?;
        let number = self.get(Bounded::u8)?;
        let dtype = Dtype::from_number(number)
            .ok_or_else(|| self.refuse(format!("'{name}' has the unknown data type {number}")))?;
        let bytes = u64::from(self.get(Bounded::u32)?);
        let wanted = shape.iter().try_fold(dtype.bytes(), |all, &n| all.checked_mul(u64::from(n)));
        if wanted != Some(bytes) {
            return Err(
                self.refuse(format!("'{name}' has {bytes} bytes, which does not fit its shape {shape:?}"))
            );
        }
        let offset = self.reader.at();
        self.get(|r| r.skip(bytes))?;
        if self.variables.insert(name.clone(), Variable { shape, dtype, offset }).is_some() {
            return Err(self.refuse(format!("'{name}' is there twice")));
        }
        Ok(())
    }

    /// The variable of that name, or the one that the name is an alias of. Fails when there is none.
    pub fn variable(&self, name: &str) -> Result<Variable, Error> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.variables.get(name).cloned().ok_or_else(|| self.refuse(format!("it has no '{name}'")))
    }

    /// The names of all variables, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// True when a variable of that very name is there; an alias does not count.
    pub fn has_own(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// A whole number stored as a variable.
    pub fn number(&mut self, name: &str) -> Result<i64, Error> {
        let variable = self.variable(name)?;
        if variable.shape.iter().any(|&n| n != 1) {
            return Err(self.refuse(format!("'{name}' is not a single number")));
        }
        let bytes = self.read(variable.offset, variable.dtype.bytes() as usize)?;
        match (variable.dtype, bytes.as_slice()) {
            (Dtype::I8, &[a]) => Ok(i64::from(a.cast_signed())),
            (Dtype::I16, &[a, b]) => Ok(i64::from(i16::from_le_bytes([a, b]))),
            (Dtype::I32, &[a, b, c, d]) => Ok(i64::from(i32::from_le_bytes([a, b, c, d]))),
            _ => Err(self.refuse(format!("'{name}' is not a whole number"))),
        }
    }

    /// Bytes from a place inside a variable's data. Ask for few at a time.
    pub fn read(&mut self, offset: u64, bytes: usize) -> Result<Vec<u8>, Error> {
        self.get(|r| {
            r.go(offset)?;
            r.bytes(bytes)
        })
    }
}

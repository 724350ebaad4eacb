//! Weights: safetensors from a memory map or from bytes inside the program.
//!
//! Invariants: a pickle is never opened, since unpickling runs code; no tensor is handed out
//! whose kind or shape was not the one asked for; nothing is read before the file's hash was
//! found right, where a hash is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use sha2::{Digest, Sha256};

/// Why a weights file was refused. Each message names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error(
        "{file} can't be read: {source}. Check that it is there and that this user may read it."
    )]
    Unreadable { file: String, source: io::Error },
    #[error(
        "{file} is a Python pickle, which can run code when it is opened, so it is never loaded. \
         Use the same weights as .safetensors."
    )]
    Pickle { file: String },
    #[error("{file} is not a safetensors file: {why}. Fetch the weights again as .safetensors.")]
    NotSafetensors { file: String, why: String },
    #[error(
        "{file} is cut short: {found_bytes} bytes instead of {expected_bytes}. \
         Fetch the weights again."
    )]
    CutShort {
        file: String,
        expected_bytes: u64,
        found_bytes: u64,
    },
    #[error(
        "{file} has the SHA-256 {found} instead of {expected}: it is damaged or another file. \
         Remove it and fetch the weights again."
    )]
    WrongHash {
        file: String,
        expected: String,
        found: String,
    },
    #[error(
        "{file} lacks the tensor {tensor}. It belongs to another model or version: \
         fetch the weights that belong to this one."
    )]
    Missing { file: String, tensor: String },
    #[error(
        "{file} holds {count} tensors that this model has no place for, such as {tensor}. \
         It belongs to another model or version: fetch the weights that belong to this one."
    )]
    Extra {
        file: String,
        tensor: String,
        count: usize,
    },
    #[error(
        "{file}: the tensor {tensor} has the shape {found:?} instead of {expected:?}. \
         Fetch the weights that belong to this model."
    )]
    WrongShape {
        file: String,
        tensor: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
    #[error(
        "{file}: the tensor {tensor} holds {found} where {expected} is needed. \
         Fetch the weights in that precision."
    )]
    WrongKind {
        file: String,
        tensor: String,
        expected: &'static str,
        found: String,
    },
    #[error("{file}: {why}. Fetch the model again.")]
    BadText { file: String, why: String },
}

/// An open weights file that remembers which tensors were asked for.
pub struct Weights {
    file: String,
    bytes: Bytes,
    tensors: BTreeMap<String, Slot>,
    metadata: BTreeMap<String, String>,
    asked: BTreeSet<String>,
}

struct Slot {
    kind: Dtype,
    shape: Vec<usize>,
    /// Where its bytes begin and end in the file.
    at: (usize, usize),
}

enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }
}

impl Weights {
    /// Maps a file into memory. `sha256` is the hash that it must have, in hexadecimal.
    pub fn open(path: &Path, sha256: Option<&str>) -> Result<Self, WeightsError> {
        let file = path.display().to_string();
        let unreadable = |source| WeightsError::Unreadable {
            file: file.clone(),
            source,
        };
        let map = map_file(&File::open(path).map_err(unreadable)?).map_err(unreadable)?;
        Self::read(file, Bytes::Mapped(map), sha256)
    }

    /// Reads bytes that are part of the program; `name` stands in messages.
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self, WeightsError> {
        Self::read(name.to_owned(), Bytes::Embedded(bytes), None)
    }

    fn read(file: String, bytes: Bytes, sha256: Option<&str>) -> Result<Self, WeightsError> {
        refuse_other_formats(&file, bytes.get())?;
        // A file that is cut short has a wrong hash too: say the more telling thing first.
        let (header_bytes, header) = SafeTensors::read_metadata(bytes.get())
            .map_err(|error| explain(&file, bytes.get(), &error))?;
        if let Some(expected) = sha256 {
            let found = hex(&Sha256::digest(bytes.get()));
            if !found.eq_ignore_ascii_case(expected) {
                return Err(WeightsError::WrongHash {
                    file,
                    expected: expected.to_owned(),
                    found,
                });
            }
        }
        let start = header_bytes + size_of::<u64>();
        let slot = |info: &safetensors::tensor::TensorInfo| Slot {
            kind: info.dtype,
            shape: info.shape.clone(),
            at: (start + info.data_offsets.0, start + info.data_offsets.1),
        };
        let tensors = header
            .tensors()
            .into_iter()
            .map(|(name, info)| (name, slot(info)))
            .collect();
        let metadata = header
            .metadata()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect();
        Ok(Self {
            file,
            bytes,
            tensors,
            metadata,
            asked: BTreeSet::new(),
        })
    }

    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The whole file, for readers that parse it themselves.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get()
    }

    /// The free text that the file's writer left, such as its version.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    #[must_use]
    pub fn shape(&self, tensor: &str) -> Option<&[usize]> {
        self.tensors.get(tensor).map(|slot| slot.shape.as_slice())
    }

    /// Numbers in the tensors that were asked for so far.
    #[must_use]
    pub fn numbers(&self) -> u64 {
        let asked = self
            .tensors
            .iter()
            .filter(|(name, _)| self.asked.contains(*name));
        asked
            .map(|(_, slot)| slot.shape.iter().map(|edge| *edge as u64).product::<u64>())
            .sum()
    }

    /// A tensor of f16, bf16 or f32, as f32 in row-major order.
    pub fn floats(&mut self, tensor: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let (kind, bytes) = self.take(tensor, shape)?;
        let values = match kind {
            Dtype::F32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b))
                .collect(),
            Dtype::F16 => {
                let halves: Vec<f16> = bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| f16::from_le_bytes(*b))
                    .collect();
                halves.to_f32_vec()
            }
            Dtype::BF16 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| bf16::from_le_bytes(*b).to_f32())
                .collect(),
            other => return Err(self.wrong_kind(tensor, "f16, bf16 or f32", other)),
        };
        Ok(values)
    }

    /// A tensor of signed bytes in row-major order.
    pub fn signed_bytes(&mut self, tensor: &str, shape: &[usize]) -> Result<Vec<i8>, WeightsError> {
        let (kind, bytes) = self.take(tensor, shape)?;
        match kind {
            Dtype::I8 => Ok(bytes.iter().map(|b| i8::from_le_bytes([*b])).collect()),
            other => Err(self.wrong_kind(tensor, "int8", other)),
        }
    }

    /// Ends reading: a tensor that nobody asked for and that `spare` does not name is an error,
    /// since it means that the file is not what it was taken for.
    pub fn finish(self, spare: impl Fn(&str) -> bool) -> Result<(), WeightsError> {
        let unasked = |name: &&String| !self.asked.contains(*name) && !spare(name);
        let mut extra = self.tensors.keys().filter(unasked);
        match extra.next().cloned() {
            None => Ok(()),
            Some(tensor) => {
                let count = 1 + extra.count();
                Err(WeightsError::Extra {
                    file: self.file,
                    tensor,
                    count,
                })
            }
        }
    }

    fn take(&mut self, tensor: &str, shape: &[usize]) -> Result<(Dtype, &[u8]), WeightsError> {
        let Some(slot) = self.tensors.get(tensor) else {
            return Err(WeightsError::Missing {
                file: self.file.clone(),
                tensor: tensor.to_owned(),
            });
        };
        if slot.shape != shape {
            return Err(WeightsError::WrongShape {
                file: self.file.clone(),
                tensor: tensor.to_owned(),
                expected: shape.to_vec(),
                found: slot.shape.clone(),
            });
        }
        self.asked.insert(tensor.to_owned());
        Ok((slot.kind, &self.bytes.get()[slot.at.0..slot.at.1]))
    }

    fn wrong_kind(&self, tensor: &str, expected: &'static str, found: Dtype) -> WeightsError {
        WeightsError::WrongKind {
            file: self.file.clone(),
            tensor: tensor.to_owned(),
            expected,
            found: format!("{found:?}"),
        }
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weights({}, {} tensors)", self.file, self.tensors.len())
    }
}

#[expect(unsafe_code, reason = "a memory map can't be had otherwise")]
fn map_file(file: &File) -> io::Result<Mmap> {
    // SAFETY: weights files are written under another name and renamed when whole, and nothing
    // here writes to one afterwards; a stranger who truncates one makes reading it fault.
    unsafe { Mmap::map(file) }
}

/// A zip archive or a bare pickle is what `torch.save` writes, whatever the file is called.
fn refuse_other_formats(file: &str, bytes: &[u8]) -> Result<(), WeightsError> {
    let zip = bytes.starts_with(b"PK\x03\x04");
    // A safetensors header of 640 bytes also begins with 0x80, but its ninth byte is `{`.
    let pickle = bytes.first() == Some(&0x80) && bytes.get(8) != Some(&b'{');
    if zip || pickle {
        return Err(WeightsError::Pickle {
            file: file.to_owned(),
        });
    }
    let why = if bytes.starts_with(b"version https://git-lfs") {
        "it is a Git LFS pointer, not the weights themselves"
    } else if bytes.starts_with(b"GGUF") {
        "it is a GGUF file"
    } else if bytes.starts_with(b"<") {
        "it is a web page"
    } else {
        return Ok(());
    };
    Err(WeightsError::NotSafetensors {
        file: file.to_owned(),
        why: why.to_owned(),
    })
}

fn explain(file: &str, bytes: &[u8], error: &SafeTensorError) -> WeightsError {
    let found_bytes = bytes.len() as u64;
    match expected_bytes(bytes) {
        Some(expected_bytes) if found_bytes < expected_bytes => WeightsError::CutShort {
            file: file.to_owned(),
            expected_bytes,
            found_bytes,
        },
        _ => WeightsError::NotSafetensors {
            file: file.to_owned(),
            why: error.to_string(),
        },
    }
}

/// The length that a safetensors file should have by its own header, as far as that can be read.
fn expected_bytes(bytes: &[u8]) -> Option<u64> {
    const LARGEST_HEADER_BYTES: u64 = 100_000_000;
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let header_bytes = u64::from_le_bytes(*length);
    if header_bytes > LARGEST_HEADER_BYTES || rest.first().is_some_and(|first| *first != b'{') {
        return None;
    }
    let whole_header = 8 + header_bytes;
    let Some(header) = rest.get(..usize::try_from(header_bytes).ok()?) else {
        return Some(whole_header);
    };
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    let ends = header
        .values()
        .filter_map(|tensor| tensor["data_offsets"][1].as_u64());
    whole_header.checked_add(ends.max().unwrap_or(0))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    fn file_of(tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
        let views = tensors.iter().map(|(name, kind, shape, data)| {
            (
                *name,
                TensorView::new(*kind, shape.to_vec(), data).expect("valid tensor"),
            )
        });
        safetensors::serialize(views, None).expect("serialises")
    }

    fn two_tensors() -> Vec<u8> {
        let half = |x: f32| f16::from_f32(x).to_le_bytes();
        file_of(&[
            ("a", Dtype::F16, &[2], [half(1.5), half(-2.0)].concat()),
            ("b", Dtype::I8, &[3], vec![1, 255, 128]),
        ])
    }

    fn embedded(bytes: Vec<u8>) -> Result<Weights, WeightsError> {
        Weights::embedded("test.safetensors", bytes.leak())
    }

    fn refusal(bytes: Vec<u8>) -> String {
        embedded(bytes).expect_err("must be refused").to_string()
    }

    #[test]
    fn halves_and_bytes_come_out_as_they_went_in() {
        let mut weights = embedded(two_tensors()).expect("valid");
        assert_eq!(weights.floats("a", &[2]).expect("a"), [1.5, -2.0]);
        assert_eq!(weights.signed_bytes("b", &[3]).expect("b"), [1, -1, -128]);
        weights.finish(|_| false).expect("nothing left");
    }

    #[test]
    fn pickles_are_refused_by_what_they_are_not_by_their_name() {
        assert!(refusal(b"PK\x03\x04 archive/data.pkl".to_vec()).contains("pickle"));
        assert!(refusal(b"\x80\x02}q\x00.".to_vec()).contains("pickle"));
        assert!(refusal(b"version https://git-lfs.github.com/spec/v1".to_vec()).contains("LFS"));
        assert!(refusal(b"<!doctype html>".to_vec()).contains("web page"));
        assert!(refusal(Vec::new()).contains("not a safetensors file"));
    }

    #[test]
    fn every_shortened_file_is_refused_and_says_so() {
        let whole = two_tensors();
        for length in 8..whole.len() {
            let message = refusal(whole[..length].to_vec());
            assert!(message.contains("cut short"), "{length} bytes: {message}");
        }
        for length in 0..8 {
            refusal(whole[..length].to_vec());
        }
    }

    #[test]
    fn a_wrong_tensor_is_named_with_what_was_expected() {
        let mut weights = embedded(two_tensors()).expect("valid");
        let wrong_shape = weights.floats("a", &[2, 1]).expect_err("shape").to_string();
        assert!(wrong_shape.contains("tensor a has the shape [2] instead of [2, 1]"));
        let wrong_kind = weights.floats("b", &[3]).expect_err("kind").to_string();
        assert!(
            wrong_kind.contains("holds I8 where f16, bf16 or f32"),
            "{wrong_kind}"
        );
        let missing = weights.floats("c", &[1]).expect_err("missing").to_string();
        assert!(missing.contains("lacks the tensor c"));
        let mut weights = embedded(two_tensors()).expect("valid");
        weights.floats("a", &[2]).expect("a");
        let extra = weights.finish(|_| false).expect_err("extra").to_string();
        assert!(extra.contains("such as b"), "{extra}");
    }

    #[test]
    fn a_wrong_hash_is_refused_and_the_right_one_is_not() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("w.safetensors");
        std::fs::write(&path, two_tensors()).expect("written");
        let right = hex(&Sha256::digest(two_tensors()));
        Weights::open(&path, Some(&right)).expect("right hash");
        let error = Weights::open(&path, Some(&"0".repeat(64))).expect_err("wrong hash");
        assert!(error.to_string().contains(&right), "{error}");
        let gone = Weights::open(&folder.path().join("none"), None).expect_err("no file");
        assert!(matches!(gone, WeightsError::Unreadable { .. }));
    }
}

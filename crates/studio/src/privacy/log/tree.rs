//! The Merkle tree of RFC 6962, section 2: hashing, and proofs that a leaf is in it, or that a later
//! tree holds an earlier one. Nothing here knows where hashes are kept.

use sha2::{Digest, Sha256};

pub const HASH_BYTES: usize = 32;

pub type Hash = [u8; HASH_BYTES];

/// A subtree whose leaves are all there: `2^level` of them, from the `index * 2^level`-th on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    pub level: u32,
    pub index: u64,
}

/// Leaves from `from` up to `to`, which belong together in the tree of `to` leaves or of more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: u64,
    pub to: u64,
}

#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(leaf)
        .finalize()
        .into()
}

fn join(left: &Hash, right: &Hash) -> Hash {
    let pair = Sha256::new().chain_update([1]).chain_update(left);
    pair.chain_update(right).finalize().into()
}

impl Span {
    const fn len(self) -> u64 {
        self.to - self.from
    }

    /// Where the tree parts: after the largest power of two that is smaller than its length.
    fn middle(self) -> u64 {
        self.from + (1 << (self.len() - 1).ilog2())
    }

    /// The whole subtrees that make it up, from the left, each smaller than the one before.
    pub fn nodes(self) -> impl Iterator<Item = Node> {
        let mut at = self.from;
        std::iter::from_fn(move || {
            let left = self.to - at;
            let level = left.checked_ilog2()?;
            let node = Node {
                level,
                index: at >> level,
            };
            at += 1 << level;
            Some(node)
        })
    }

    /// Its hash, from those of its whole subtrees. `None` where one is missing.
    pub fn hash(self, known: impl Fn(Node) -> Option<Hash>) -> Option<Hash> {
        let mut hashes = Vec::new();
        for node in self.nodes() {
            hashes.push(known(node)?);
        }
        let last = hashes.pop();
        match last {
            Some(last) => Some(
                hashes
                    .iter()
                    .rev()
                    .fold(last, |right, left| join(left, &right)),
            ),
            None => Some(Sha256::digest([]).into()),
        }
    }
}

/// The subtrees whose hashes prove that the tree of `size` leaves holds the one at `position`, from
/// the leaf upwards.
#[must_use]
pub fn inclusion(position: u64, size: u64) -> Vec<Span> {
    let mut path = Vec::new();
    let mut within = Span { from: 0, to: size };
    while within.len() > 1 {
        let middle = within.middle();
        let (left, right) = (
            Span {
                to: middle,
                ..within
            },
            Span {
                from: middle,
                ..within
            },
        );
        let (other, next) = if position < middle {
            (right, left)
        } else {
            (left, right)
        };
        path.push(other);
        within = next;
    }
    path.reverse();
    path
}

/// The subtrees whose hashes prove that the first `earlier` leaves of `size` are those of the tree of
/// `earlier` leaves.
#[must_use]
pub fn consistency(earlier: u64, size: u64) -> Vec<Span> {
    if earlier == 0 || earlier >= size {
        return Vec::new();
    }
    let mut path = Vec::new();
    let mut within = Span { from: 0, to: size };
    while earlier != within.to {
        let middle = within.middle();
        let (left, right) = (
            Span {
                to: middle,
                ..within
            },
            Span {
                from: middle,
                ..within
            },
        );
        let (other, next) = if earlier <= middle {
            (right, left)
        } else {
            (left, right)
        };
        path.push(other);
        within = next;
    }
    // Whoever asks knows the earlier tree's hash.
    if within.from > 0 {
        path.push(within);
    }
    path.reverse();
    path
}

/// Whether `proof` shows that a leaf is at `position` of the tree that has `root` (RFC 9162, 2.1.3.2).
#[must_use]
pub fn includes(root: &Hash, size: u64, position: u64, leaf: Hash, proof: &[Hash]) -> bool {
    if position >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (position, size - 1, leaf);
    for other in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = join(other, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = join(&hash, other);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that a tree grew out of an earlier one (RFC 9162, 2.1.4.2).
#[must_use]
pub fn grew(earlier: (u64, &Hash), later: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((from, first), (to, second)) = (earlier, later);
    if from > to || (from == 0 && !proof.is_empty()) {
        return false;
    }
    if from == 0 {
        return true;
    }
    if from == to {
        return first == second && proof.is_empty();
    }
    let mut rest = proof.iter();
    let start = if from.is_power_of_two() {
        first
    } else {
        match rest.next() {
            Some(hash) => hash,
            None => return false,
        }
    };
    let shift = (from - 1).trailing_ones();
    let (mut at, mut last) = ((from - 1) >> shift, (to - 1) >> shift);
    let (mut old, mut new) = (*start, *start);
    for other in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = join(other, &old);
            new = join(other, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = join(&new, other);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old == *first && new == *second
}

/// The right edge of a growing tree: the whole subtrees that make it up, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    hashes: Vec<Hash>,
}

impl Edge {
    /// Of the tree of `size` leaves. `None` where a hash is missing.
    pub fn of(size: u64, known: impl Fn(Node) -> Option<Hash>) -> Option<Self> {
        let hashes: Option<Vec<Hash>> = Span { from: 0, to: size }.nodes().map(known).collect();
        Some(Self {
            size,
            hashes: hashes?,
        })
    }

    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and gives every subtree that is whole now, the leaf itself first.
    pub fn push(&mut self, leaf: Hash) -> Vec<(Node, Hash)> {
        let node = |level: u32, position: u64| Node {
            level,
            index: position >> level,
        };
        let position = self.size;
        let mut hash = leaf;
        let mut whole = vec![(node(0, position), hash)];
        for level in 1..=position.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = join(&left, &hash);
                whole.push((node(level, position), hash));
            }
        }
        self.hashes.push(hash);
        self.size += 1;
        whole
    }

    #[must_use]
    pub fn root(&self) -> Hash {
        let mut hashes = self.hashes.iter().rev();
        match hashes.next() {
            Some(last) => hashes.fold(*last, |right, left| join(left, &right)),
            None => Sha256::digest([]).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The leaves and roots with which implementations of Certificate Transparency test themselves.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn hex(hash: &Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Every whole subtree of so many leaves, and the tree's root at each size.
    fn grown(leaves: u64) -> (HashMap<Node, Hash>, Vec<Hash>) {
        let mut edge = Edge::default();
        let mut known = HashMap::new();
        let mut roots = vec![edge.root()];
        for number in 0..leaves {
            known.extend(edge.push(leaf_hash(&number.to_le_bytes())));
            roots.push(edge.root());
        }
        (known, roots)
    }

    /// As RFC 6962 defines it, in so many words.
    fn defined(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => leaf_hash(leaf),
            _ => {
                let middle = 1 << (leaves.len() - 1).ilog2();
                join(&defined(&leaves[..middle]), &defined(&leaves[middle..]))
            }
        }
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let mut edge = Edge::default();
        assert_eq!(
            hex(&edge.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (leaf, root) in LEAVES.into_iter().zip(ROOTS) {
            edge.push(leaf_hash(leaf));
            assert_eq!(hex(&edge.root()), root);
        }
    }

    #[test]
    fn an_edge_grows_as_the_definition_says_and_can_be_taken_up_again() {
        let (known, roots) = grown(130);
        let leaves: Vec<Vec<u8>> = (0..130_u64).map(|n| n.to_le_bytes().to_vec()).collect();
        for size in 0..=130_u64 {
            let at = usize::try_from(size).expect("small");
            assert_eq!(roots[at], defined(&leaves[..at]), "{size}");
            let edge = Edge::of(size, |node| known.get(&node).copied()).expect("whole");
            assert_eq!(edge.root(), roots[at]);
            let span = Span { from: 0, to: size };
            assert_eq!(span.hash(|node| known.get(&node).copied()), Some(roots[at]));
        }
    }

    #[test]
    fn each_leaf_is_proved_and_nothing_else_is() {
        let (known, roots) = grown(40);
        for size in 1..=40_u64 {
            let root = roots[usize::try_from(size).expect("small")];
            for position in 0..size {
                let spans = inclusion(position, size).into_iter();
                let proof: Option<Vec<Hash>> = spans
                    .map(|span| span.hash(|node| known.get(&node).copied()))
                    .collect();
                let proof = proof.expect("whole");
                let leaf = leaf_hash(&position.to_le_bytes());
                assert!(
                    includes(&root, size, position, leaf, &proof),
                    "{position} of {size}"
                );
                let other = leaf_hash(b"another");
                assert!(!includes(&root, size, position, other, &proof));
                assert!(!includes(&root, size, position + 1, leaf, &proof));
                for at in 0..proof.len() {
                    let mut broken = proof.clone();
                    broken[at][7] ^= 1;
                    assert!(!includes(&root, size, position, leaf, &broken));
                }
                let mut longer = proof.clone();
                longer.push(other);
                assert!(!includes(&root, size, position, leaf, &longer));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!includes(&root, size, position, leaf, shorter));
                }
            }
        }
    }

    #[test]
    fn growth_is_proved_and_a_rewritten_past_is_not() {
        let (known, roots) = grown(40);
        let root = |size: u64| &roots[usize::try_from(size).expect("small")];
        for size in 0..=40_u64 {
            for earlier in 0..=size {
                let spans = consistency(earlier, size).into_iter();
                let proof: Option<Vec<Hash>> = spans
                    .map(|span| span.hash(|node| known.get(&node).copied()))
                    .collect();
                let proof = proof.expect("whole");
                assert!(grew((earlier, root(earlier)), (size, root(size)), &proof));
                let other = leaf_hash(b"another");
                if earlier > 0 {
                    assert!(!grew((earlier, &other), (size, root(size)), &proof));
                    assert!(!grew((earlier, root(earlier)), (size, &other), &proof));
                }
                for at in 0..proof.len() {
                    let mut broken = proof.clone();
                    broken[at][7] ^= 1;
                    assert!(!grew((earlier, root(earlier)), (size, root(size)), &broken));
                }
            }
        }
    }
}

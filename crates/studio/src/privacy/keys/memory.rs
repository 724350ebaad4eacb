//! Keys that were unwrapped lately: so many, and gone as soon as one of them is shredded.

use std::collections::HashMap;
use std::hash::Hash;

use super::ObjectKeys;
use super::cipher::Key;

/// Two or three megabytes each, at most.
const MAX_PEOPLE: usize = 16_384;
const MAX_OBJECTS: usize = 8_192;

#[derive(Debug)]
pub(super) struct Memory {
    pub(super) people: Lately<Key>,
    pub(super) objects: Lately<ObjectKeys>,
    /// Grows whenever something is forgotten on purpose: what was read before that is not put in.
    pub(super) era: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            people: Lately::new(MAX_PEOPLE),
            objects: Lately::new(MAX_OBJECTS),
            era: 0,
        }
    }
}

impl Memory {
    pub(super) fn forget_all(&mut self) {
        self.era += 1;
        self.people.clear();
        self.objects.clear();
    }

    pub(super) fn forget_person(&mut self, person: &str) {
        self.era += 1;
        self.people.remove(person);
        // Few are shredded, and their objects come back by themselves where they are others'.
        self.objects.clear();
    }

    pub(super) fn forget_object(&mut self, id: &str) {
        self.era += 1;
        self.objects.remove(id);
    }
}

/// A map that keeps what was used lately. It has two halves: when the young one is full, it takes the
/// place of the old one, and what nobody asked for meanwhile goes.
#[derive(Debug)]
pub(super) struct Lately<V, K = String> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    max_each: usize,
}

impl<V: Clone> Lately<V> {
    fn new(max: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            max_each: max / 2,
        }
    }
}

impl<V: Clone, K: Hash + Eq> Lately<V, K> {
    pub(super) fn get<Q: Hash + Eq + ToOwned<Owned = K> + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.old.remove(key)?;
        self.put(key.to_owned(), value.clone());
        Some(value)
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.max_each {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        self.young.remove(key);
        self.old.remove(key);
    }

    fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut lately = Lately::new(8);
        lately.put("used".to_owned(), 0);
        for n in 1..100 {
            lately.put(n.to_string(), n);
            assert_eq!(lately.get("used"), Some(0));
            assert!(lately.young.len() + lately.old.len() <= 8);
        }
        assert_eq!(lately.get("1"), None);
        assert_eq!(lately.get("99"), Some(99));
        lately.remove("99");
        assert_eq!(lately.get("99"), None);
    }
}

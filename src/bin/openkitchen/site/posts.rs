//! # The posts, and their order in the feed
//!
//! "When your feed loads, the backend decides which posts to show you." Here that decision is one
//! line of [`feed`]: most liked first. The pages and the API both call this function, so they always
//! agree.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// One post of the feed. The site calls the feed the menu.
pub struct Post {
    /// Its number, as the API and the likes file use it.
    pub id: u32,
    /// The title, as plain text.
    pub title: &'static str,
    /// The text, as plain text with code between backticks.
    pub text: &'static str,
}

/// All posts. A number must never change, because the likes file uses it.
pub static POSTS: [Post; 6] = [
    Post {
        id: 1,
        title: "One restaurant, two rooms",
        text: "The dining room is the frontend: tables, menus, buttons you can touch. The kitchen \
               is the backend: it cooks, prepares and remembers. Most places put a door between \
               them. Here the wall is glass.",
    },
    Post {
        id: 2,
        title: "A like, served fresh",
        text: "Tap the heart. Your browser sends one request, the kitchen writes one line into a \
               file, waits until the disk has it, and only then answers. Pull the plug a moment \
               later: the like is still there.",
    },
    Post {
        id: 3,
        title: "Function of the day",
        text: "Someone visits a path, a function runs, and what it returns is what they see. \
               Flask writes `@app.route(\"/\")`; this kitchen keeps a table with a row for each \
               path. It fits on one screen.",
    },
    Post {
        id: 4,
        title: "The slot in the wall",
        text: "Both rooms talk through HTTP and nothing else. An order goes in as a request, a \
               plate comes out as a response. The API is the slot they pass through, and it takes \
               orders from any hand: a page, curl, you.",
    },
    Post {
        id: 5,
        title: "Chef's choice of feed",
        text: "You did not pick the order of this menu; the kitchen did. Its recipe is short: \
               most liked first. Like something, load the page again, and watch the backend \
               change its mind.",
    },
    Post {
        id: 6,
        title: "The key stays off the menu",
        text: "A key in the code is a key for everyone who reads the code. A key in a URL is \
               copied into logs, histories and referrers. Keep it in the environment, and send it \
               in a field.",
    },
];

/// The post with this number.
pub fn find(id: u32) -> Option<&'static Post> {
    POSTS.iter().find(|post| post.id == id)
}

/// The posts in the order of the page, each with its likes: most liked first, then by number.
pub fn feed(counts: &BTreeMap<u32, u64>) -> Vec<(&'static Post, u64)> {
    let mut feed: Vec<_> =
        POSTS.iter().map(|post| (post, counts.get(&post.id).copied().unwrap_or(0))).collect();
    feed.sort_by_key(|(post, likes)| (Reverse(*likes), post.id));
    feed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_liked_post_is_first_and_ties_are_ordered_by_number() {
        let order = |counts: &[(u32, u64)]| -> Vec<u32> {
            feed(&counts.iter().copied().collect()).iter().map(|(post, _)| post.id).collect()
        };
        assert_eq!(order(&[]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(order(&[(4, 2), (2, 7), (6, 2), (99, 1000)]), [2, 4, 6, 1, 3, 5]);
    }
}

//! The guides in `docs/guides/`, so that their code is compiled and run with the tests.

macro_rules! guide {
    ($name:ident, $file:literal) => {
        #[doc = include_str!(concat!("../../../docs/guides/", $file))]
        pub mod $name {}
    };
}

guide!(choosing_a_strategy, "choosing-a-strategy.md");
guide!(migrating, "migrating.md");
guide!(observing, "observing.md");
guide!(one_time_links, "one-time-links.md");
guide!(proxies, "proxies.md");
guide!(stores, "stores.md");
guide!(testing_your_app, "testing-your-app.md");
guide!(writing_a_strategy, "writing-a-strategy.md");
guide!(writing_an_authorizer, "writing-an-authorizer.md");

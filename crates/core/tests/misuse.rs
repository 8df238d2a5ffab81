//! What leaks files does not compile: the cases in `tests/misuse/`, with the error that each must end in.

#[test]
fn delivering_without_authorisation_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}

/// What a part of the kernel says that need not be there: its module is not loaded, or it was left out of the build.
/// That is an answer, not an error: a node without IPVS is a node that does nothing by IPVS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facility<T> {
    /// The kernel does not have this part at the moment.
    Absent,
    /// It does, and says this.
    Present(T),
}

//! Rules of iptables-nft, as far as kube-proxy writes them into KUBE-SERVICES. A rule is a list of expressions that load
//! a part of the packet into a register, compare it, and at the end jump.

use super::HEADER;
use super::compat;
use super::numbers::{
    BITWISE_DREG, BITWISE_LEN, BITWISE_MASK, BITWISE_SREG, BITWISE_XOR, CMP_DATA, CMP_OP, CMP_SREG,
    DATA_VALUE, DATA_VERDICT, EXPR_DATA, EXPR_NAME, IMMEDIATE_DATA, LIST_ELEM, META_DREG, META_KEY,
    NFT_CMP_EQ, NFT_GOTO, NFT_JUMP, NFT_META_L4PROTO, PAYLOAD_BASE, PAYLOAD_DREG, PAYLOAD_LEN,
    PAYLOAD_OFFSET, RULE_EXPRESSIONS, VERDICT_CHAIN, VERDICT_CODE,
};
use super::register::{Part, Registers};
use crate::attributes::each;
use crate::linux::conditions::{Condition, Conditions, is_of_service};
use crate::linux::link::until_zero;
use crate::{IpFamily, IpvsProtocol, ServiceTarget};

/// What a rule says, as far as it was read.
struct Reader {
    family: IpFamily,
    registers: Registers,
    conditions: Conditions,
    /// It ends in a chain of a Service.
    jumps: bool,
}

/// What a rule takes to a Service; none if it does something else, or only under conditions that are not understood.
pub(in crate::linux) fn target(
    payload: &[u8],
    family: IpFamily,
) -> Result<Option<ServiceTarget>, String> {
    let attributes = payload
        .get(HEADER..)
        .ok_or("an answer is shorter than its header")?;
    let mut reader = Reader {
        family,
        registers: Registers::default(),
        conditions: Conditions::default(),
        jumps: false,
    };
    each(attributes, |kind, expressions| {
        if kind != RULE_EXPRESSIONS {
            return Ok(());
        }
        each(expressions, |kind, expression| match kind {
            LIST_ELEM => reader.expression(expression),
            _ => Ok(()),
        })
    })?;
    Ok(reader.target())
}

// === impl Reader ===

impl Reader {
    fn target(self) -> Option<ServiceTarget> {
        self.conditions.target().filter(|_| self.jumps)
    }

    fn expression(&mut self, expression: &[u8]) -> Result<(), String> {
        let [name, data] = fields(expression, [EXPR_NAME, EXPR_DATA])?;
        let data = data.unwrap_or_default();
        match until_zero(name.ok_or("an expression has no name")?) {
            b"payload" => self.payload(data),
            b"meta" => self.meta(data),
            b"bitwise" => self.bitwise(data),
            b"cmp" => self.compare(data),
            b"match" => {
                self.conditions.add(compat::condition(data)?);
                Ok(())
            }
            b"immediate" => self.verdict(data),
            b"counter" => Ok(()),
            _ => {
                self.conditions.add(Condition::NotUnderstood);
                Ok(())
            }
        }
    }

    fn payload(&mut self, data: &[u8]) -> Result<(), String> {
        let numbers = fields(data, [PAYLOAD_BASE, PAYLOAD_OFFSET, PAYLOAD_LEN])?;
        let [base, offset, length] = numbers.map(number);
        let length = length?;
        let part = Part::of_payload(self.family, base?, offset?, length);
        let [register] = fields(data, [PAYLOAD_DREG])?;
        self.registers.load(number(register)?, length, part);
        Ok(())
    }

    fn meta(&mut self, data: &[u8]) -> Result<(), String> {
        let [register, key] = fields(data, [META_DREG, META_KEY])?;
        let Some(register) = register else {
            // It sets something instead.
            self.conditions.add(Condition::NotUnderstood);
            return Ok(());
        };
        let part = match number(key)? {
            NFT_META_L4PROTO => Part::Protocol,
            _ => Part::Other,
        };
        // No key is longer than a name of an interface.
        let length = if part == Part::Protocol { 1 } else { 16 };
        self.registers.load(number(Some(register))?, length, part);
        Ok(())
    }

    /// A mask of ones changes nothing; older versions of iptables write one before each comparison of addresses.
    fn bitwise(&mut self, data: &[u8]) -> Result<(), String> {
        let [from, to, length] =
            fields(data, [BITWISE_SREG, BITWISE_DREG, BITWISE_LEN])?.map(number);
        let [mask, xor] = fields(data, [BITWISE_MASK, BITWISE_XOR])?;
        let length = length?;
        let is_all = |data: Option<&[u8]>, byte| -> Result<bool, String> {
            let Some(data) = data else {
                return Ok(false);
            };
            let [value] = fields(data, [DATA_VALUE])?;
            let all = value.map(|value| value.iter().all(|other| *other == byte));
            Ok(all.unwrap_or(false))
        };
        let idle = is_all(mask, 0xff)? && is_all(xor, 0)?;
        let part = match idle {
            true => self.registers.holds(from?),
            false => Part::Other,
        };
        self.registers.load(to?, length, part);
        Ok(())
    }

    fn compare(&mut self, data: &[u8]) -> Result<(), String> {
        let [register, operator, data] = fields(data, [CMP_SREG, CMP_OP, CMP_DATA])?;
        let [value] = fields(data.unwrap_or_default(), [DATA_VALUE])?;
        let equal = number(operator)? == NFT_CMP_EQ;
        let part = self.registers.holds(number(register)?);
        let condition = match (part, value.unwrap_or_default()) {
            _ if !equal => Condition::NotUnderstood,
            (Part::Destination, &[a, b, c, d]) => Condition::Destination([a, b, c, d].into()),
            (Part::Destination, value) => <[u8; 16]>::try_from(value)
                .map_or(Condition::NotUnderstood, |ip| {
                    Condition::Destination(ip.into())
                }),
            (Part::Protocol, &[protocol]) => {
                Condition::Protocol(IpvsProtocol::from(u16::from(protocol)))
            }
            (Part::DestinationPort, &[high, low]) => {
                Condition::Port(u16::from_be_bytes([high, low]))
            }
            _ => Condition::NotUnderstood,
        };
        self.conditions.add(condition);
        Ok(())
    }

    fn verdict(&mut self, data: &[u8]) -> Result<(), String> {
        let [data] = fields(data, [IMMEDIATE_DATA])?;
        let [verdict] = fields(data.unwrap_or_default(), [DATA_VERDICT])?;
        let [code, chain] = fields(verdict.unwrap_or_default(), [VERDICT_CODE, VERDICT_CHAIN])?;
        let Some(code) = code else {
            // It fills a register instead.
            self.conditions.add(Condition::NotUnderstood);
            return Ok(());
        };
        let code = number(Some(code))?.cast_signed();
        let chain = chain.unwrap_or_default();
        self.jumps = matches!(code, NFT_JUMP | NFT_GOTO) && is_of_service(chain);
        Ok(())
    }
}

/// The values of the attributes of these kinds.
pub(super) fn fields<const N: usize>(
    attributes: &[u8],
    wanted: [u16; N],
) -> Result<[Option<&[u8]>; N], String> {
    let mut found = [None; N];
    each(attributes, |kind, value| {
        if let Some(place) = wanted.iter().position(|wanted| *wanted == kind) {
            found[place] = Some(value);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Numbers of nftables are big-endian.
fn number(value: Option<&[u8]>) -> Result<u32, String> {
    let value = value.ok_or("an expression lacks a number")?;
    let bytes = value
        .try_into()
        .map_err(|_| format!("a number has {} bytes and not 4", value.len()))?;
    Ok(u32::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;

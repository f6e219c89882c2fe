"""Small wafer files of every kind, written by hand: what tests of the readers start from."""

import io
import struct

import numpy as np

KLARF12 = """\
FileVersion 1 2;
FileTimestamp 02-29-24 10:00:00;
InspectionStationID "KLA" "2930" "K1";
SampleType WAFER;
ResultTimestamp 02-29-2024 09:30:00;
LotID "LOT A";
SampleSize 1 200;
DeviceID "DEV";
SetupID "S" 02-29-24 09:00:00;
StepID "M1";
SampleOrientationMarkType NOTCH;
OrientationMarkLocation DOWN;
DiePitch 2.0e+04 1.0e+04;
DieOrigin 0.0 0.0;
WaferID "01";
Slot 3;
SampleCenterLocation 1.0e+04 5.0e+03;
ClassLookup 2
 0 "none; really"
 7 "scratch";
InspectionTest 1;
SampleTestPlan 5
 0 1
 -1 0
 0 0
 1 0
 0 -1;
AreaPerTest 1.0e+09;
DefectRecordSpec 10 DEFECTID XREL YREL XINDEX YINDEX DSIZE CLASSNUMBER TEST IMAGECOUNT IMAGELIST;
DefectList
 1 100.5 200.5 0 1 1.5 7 1 0 0
 2 0.0 0.0 1 0 2.0 0 1 2 2 1 0
 2 0
 3 19999.0 9999.0 0 1 NA 7 1 0 0;
SummarySpec 5 TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE;
SummaryList
 1 3 0.3 5 2;
WaferID "02";
Slot 4;
SampleTestPlan 2
 0 0
 0 1;
TiffFileName a.tif;
DefectList;
TiffFileName b.tif;
DefectList
 1 5.0 5.0 0 0 1.0 0 1 0 0;
SummarySpec 5 TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE;
SummaryList
 1 1 0.3 2 1;
EndOfFile;
"""

KLARF18 = """\
Record FileRecord "1.8"
{
  Record LotRecord "LOT A"
  {
    Record WaferRecord "01"
    {
      Field SampleCenterLocation 2 {10000000, 5000000}
      Field SlotNumber 1 {3}
      List DefectList
      {
        Columns 8 { int32 DEFECTID, int32 XREL, int32 YREL, int32 XINDEX, int32 YINDEX,
          float DSIZE, int32 CLASSNUMBER, ImageList IMAGEINFO }
        Data 3
        {
          1 100500 200500 0 1 1500 7 N;
          2 0 0 1 0 2000 0 Images 2 { "a; b/1.jpg" "JPG" 1 "Patch", "}2.jpg" "JPG" 1 "Patch" };
          3 19999000 9999000 0 1
            NA 7 N;
        }
      }
      Record TestRecord "1"
      {
        Field AreaPerTest 1 {1.0e+15}
        List SampleTestPlanList
        {
          Columns 2 { int32 XINDEX, int32 YINDEX }
          Data 5 { 0 1; -1 0; 0 0; 1 0; 0 -1; }
        }
      }
      Record SummaryRecord
      {
        List TestSummaryList
        {
          Columns 3 { int32 TESTNO, int32 NDEFECT, int32 NDIE }
          Data 1 { 1 3 5; }
        }
      }
    }
    Field DeviceID 1 {"DEV"}
    Field DiePitch 2 {20000000, 10000000}
    Field InspectionStationID 3 {"KLA", "2930", "K1"}
    Field OrientationMarkLocation 1 {0}
    Field ResultTimestamp 2 {"02-29-2024", "09:30:00"}
    Field SampleSize 2 {200000000, 0}
    Field StepID 1 {"M1"}
  }
  Field FileTimestamp 2 {"02-29-2024", "10:00:00"}
}
EndOfFile;
"""

SINF = """\
DEVICE:DEV
LOT:LOT A
WAFER:01
FNLOC:180
ROWCT:3
COLCT:4
BCEQU:01
REFPX:1
REFPY:1
DUTMS:mm
XDIES:2.0
YDIES:3.0
RowData:__ 01 01 __
RowData:01 0C 01 @@
RowData:__ 01 FF __
"""

G85 = """\
<?xml version="1.0" encoding="utf-8"?>
<Maps>
 <Map xmlns:semi="http://www.semi.org" WaferId="01" FormatRevision="G85-1101">
  <Device ProductId="DEV" LotId="LOT A" WaferSize="200" CreateDate="2024022909300000"
    DeviceSizeX="2000" DeviceSizeY="3000" SupplierName="S" Rows="3" Columns="4" Orientation="0"
    OriginLocation="3" BinType="Decimal" NullBin="255">
   <Bin BinCode="000" BinQuality="Fail" BinCount="2" BinDescription=""/>
   <Bin BinCode="001" BinQuality="Pass" BinCount="5" BinDescription="a &lt; b"/>
   <Bin BinCode="009" BinQuality="Reference" BinCount="1"/>
   <Data MapName="Map" MapVersion="6">
    <Row><![CDATA[255 001 001 255 ]]></Row>
    <Row><![CDATA[001 000 009 001 ]]></Row>
    <Row><![CDATA[255 001 000 255 ]]></Row>
   </Data>
  </Device>
 </Map>
</Maps>
"""

E142 = """\
<?xml version="1.0" encoding="utf-8"?>
<MapData xmlns="urn:semi-org:xsd.E142-1.V0105.SubstrateMap">
 <Layouts>
  <Layout LayoutId="WaferLayout" DefaultUnits="mm" TopLevel="true"><Dimension X="1" Y="1"/>
   <ChildLayouts><ChildLayout LayoutId="Devices"/></ChildLayouts></Layout>
  <Layout LayoutId="Devices" DefaultUnits="mm"><Dimension X="4" Y="3"/>
   <StepSize X="2.0" Y="3.0" Units="mm"/><ProductId>DEV</ProductId></Layout>
 </Layouts>
 <Substrates><Substrate SubstrateType="Wafer" SubstrateId="01"><LotId>LOT A</LotId>
  <SlotNumber>3</SlotNumber></Substrate></Substrates>
 <SubstrateMaps>
  <SubstrateMap SubstrateType="Wafer" SubstrateId="01" Orientation="0" OriginLocation="UpperLeft"
    AxisDirection="DownRight" LayoutSpecifier="WaferLayout/Devices">
   <Overlay MapName="SortGrade" MapVersion="1">
    <BinCodeMap BinType="HexaDecimal" NullBin="FF" MapType="2DArray">
     <BinDefinitions><BinDefinition BinCode="00" BinCount="2" BinQuality="Fail"/>
      <BinDefinition BinCode="0A" BinCount="6" BinQuality="Pass"/></BinDefinitions>
     <BinCode>FF0A0AFF</BinCode>
     <BinCode>0A000A0A</BinCode>
     <BinCode>FF0A00FF</BinCode>
    </BinCodeMap>
   </Overlay>
  </SubstrateMap>
 </SubstrateMaps>
</MapData>
"""

CSV = """\
# notch: down
# y axis: up
lot,wafer,x,y,hbin,sbin
LOT A,01,0,1,1,10
LOT A,01,-1,0,2,20
LOT A,02,0,0,1,10
LOT A,01,0,0,1,11
LOT A,01,1,0,1,10
LOT A,01,0,-1,1,
LOT A,01,-1,0,1,10
"""

ASCII = "..1..\n.111.\n11X11\n.11X.\n..1..\n"


def record(kind, sub, data, order="<"):
    return struct.pack(f"{order}HBB", len(data), kind, sub) + data


def text(value):
    return bytes([len(value)]) + value.encode("latin-1")


def prr(x, y, bin_, flag=None, order="<", head=1):
    flag = (0 if bin_ == 1 else 8) if flag is None else flag
    data = struct.pack(f"{order}BBBHHHhhI", head, 1, flag, 3, bin_, bin_ * 10, x, y, 5)
    return record(5, 20, data + text("part"), order)


def stdf(parts=None, order="<", wcr=("D", "R", "U"), count=None, wafers=("01",)):
    """An STDF file: MIR, an unknown record, WCR, and for each wafer WIR, PRR, WRR; HBR and MRR."""
    parts = [(0, 1, 1), (-1, 0, 2), (0, 0, 1), (1, 0, 1), (-1, 0, 1)] if parts is None else parts
    out = record(0, 10, bytes([1 if order == ">" else 2, 4]), order)
    mir = struct.pack(f"{order}IIBBBBHB", 1_600_000_000, 1_600_000_100, 1, 80, 32, 32, 65535, 32)
    names = ["LOT A", "DEV", "node", "tester", "job", "1", "", "op", "exec", "1", "SORT"]
    out += record(1, 10, mir + b"".join(map(text, names)), order)
    out += record(180, 7, b"vendor", order)
    if wcr:
        flat, right, up = (ord(side) for side in wcr)
        data = struct.pack(f"{order}fffBBhhBB", 200.0, 3.0, 2.0, 3, flat, 0, 0, right, up)
        out += record(2, 30, data, order)
    for name in wafers:
        out += record(2, 10, struct.pack(f"{order}BBI", 1, 255, 1_600_000_200) + text(name), order)
        for x, y, *rest in parts:
            out += record(5, 10, b"\1\1", order) + prr(x, y, *rest, order=order)
        number = len(parts) if count is None else count
        data = struct.pack(f"{order}BBIIIIII", 1, 255, 0, number, 0, 0, 0, 0) + text(name)
        out += record(2, 20, data, order)
    out += record(1, 40, struct.pack(f"{order}BBHIc", 255, 1, 1, 3, b"P") + text("good"), order)
    return out + record(1, 20, struct.pack(f"{order}Ic", 1_600_001_000, b" "), order)


def bundle(**changes):
    """A bundle of two maps like WM-811K's, as bytes."""
    first = np.array([[0, 1, 0], [1, 2, 1], [0, 1, 0]], np.uint8)
    second = np.array([[0, 0, 0, 0], [0, 1, 2, 0], [0, 2, 1, 0]], np.uint8)
    arrays = {
        "flat": np.concatenate([first.ravel(), second.ravel()]),
        "offsets": np.array([0, 9, 21], np.int64),
        "hw": np.array([[3, 3], [3, 4]], np.int16),
        "label": np.array([0, 2], np.int8),
        "classes": np.array(["Edge-Ring", "Loc", "None"]),
        "split": np.array([0, 2], np.int8),
        "splits": np.array(["train10", "val", "test"]),
    }
    file = io.BytesIO()
    np.savez_compressed(file, **(arrays | changes))
    return file.getvalue()


def disk(side=21):
    """A round map of passing dies with a few that fail."""
    y, x = np.mgrid[0:side, 0:side]
    radius = np.hypot((2 * y + 1) / side - 1, (2 * x + 1) / side - 1)
    grid = (radius <= 1).astype(np.uint8)
    grid[3:6, 9:12] = 2
    grid[side // 2, side // 2 :: 3] *= 2
    return np.minimum(grid, 2)


FILES = {
    "klarf12": KLARF12.encode(),
    "klarf18": KLARF18.encode(),
    "stdf": stdf(),
    "sinf": SINF.encode(),
    "g85": G85.encode(),
    "e142": E142.encode(),
    "csv": CSV.encode(),
    "ascii": ASCII.encode(),
    "npz": bundle(),
}
